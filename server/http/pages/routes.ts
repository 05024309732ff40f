import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { html } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'
import { isAdmin, type Principal } from '../../auth/access.ts'
import { ProblemError } from '../../errors.ts'
import { type App, linkTo, type RouteContext } from '../context.ts'
import { identify, requireOurPage, sessionCookie } from '../identify.ts'
import { type Docs, docRoutes } from './docs.ts'
import { forPages, htmlPage } from './html.ts'

/** The built client and documentation. */
export interface Assets {
  'dashboard.js': string
  'dashboard.css': string
  'widget.js': string
  /** Omitted: no documentation. */
  docs?: Docs
}

const types = {
  'dashboard.js': 'text/javascript; charset=utf-8',
  'dashboard.css': 'text/css; charset=utf-8',
  'widget.js': 'text/javascript; charset=utf-8',
}

/** The routes of the dashboard and of the element for other sites. */
export function pageRoutes(app: App, context: RouteContext, assets: Assets): void {
  const { engine, front, rates, sessions, signIns } = context
  // Pages of any site may load the element.
  const forWidget = secureHeaders({ strictTransportSecurity: false, crossOriginResourcePolicy: 'cross-origin' })

  const seesEveryone = (reader: Principal) => isAdmin(reader) && !engine.knowsOwnersOnly
  /** The signed-in principal, if any. @throws ProblemError 429 for too many strangers; other failures, such as an unavailable store */
  const readerOf = async (c: Context): Promise<Principal | undefined> => {
    try {
      return await identify(c, context)
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.status !== 401) throw error
      rates.takeStranger(front.addressOf(c.req.raw, c.env))
      return undefined
    }
  }
  const show = async (c: Context) => {
    const base = linkTo(c, '/')
    const reader = await readerOf(c)
    c.header('cache-control', 'no-store')
    if (!reader) return c.html(signInPage(base), 401)
    return c.html(dashboardPage(base, { seesEveryone: seesEveryone(reader) }))
  }
  for (const path of ['/', '/jobs/:id'] as const) app.get(path, forPages, show)
  // The dashboard renders the API reference, which is public.
  app.get('/docs/api', forPages, async (c) => {
    const reader = await readerOf(c)
    c.header('cache-control', 'no-store')
    return c.html(dashboardPage(linkTo(c, '/'), reader ? { seesEveryone: seesEveryone(reader) } : { isStranger: true }))
  })
  docRoutes(app, assets.docs ?? [])
  // With the mount path /progress, the route "/" matches "/progress", but links lead to "/progress/".
  app.get('/*', async (c, next) => {
    if (c.req.path !== linkTo(c, '/')) return next()
    return forPages(c, async () => {
      c.res = await show(c)
    })
  })

  // Browsers fetch modules with CORS.
  app.use('/widget.js', cors())
  for (const name of ['dashboard.js', 'dashboard.css', 'widget.js'] as const) {
    app.get(`/${name}`, name === 'widget.js' ? forWidget : forPages, (c) =>
      c.body(assets[name], 200, { 'content-type': types[name], 'cache-control': 'public, max-age=0, must-revalidate' }),
    )
  }

  app.get('/sign-in', forPages, async (c) => {
    // Link previews send HEAD, which must not use up the code.
    if (c.req.method === 'HEAD') return c.body(null, 200)
    rates.takeStranger(front.addressOf(c.req.raw, c.env))
    const signIn = await signIns.redeem(c.req.query('code') ?? '')
    const base = linkTo(c, '/')
    c.header('cache-control', 'no-store')
    if (!signIn) return c.html(signInPage(base), 401)
    const { cookie, seconds } = await sessions.create(signIn.principal)
    const { name, secure } = sessionCookie(c, front)
    setCookie(c, name, cookie, { path: base, httpOnly: true, sameSite: 'Lax', secure, maxAge: seconds })
    return c.redirect(signIn.job === undefined ? base : linkTo(c, `/jobs/${signIn.job}`), 303)
  })

  app.post('/sign-out', forPages, async (c) => {
    // A form of another site must not sign anyone out.
    requireOurPage(c, front)
    const base = linkTo(c, '/')
    const { name, secure } = sessionCookie(c, front)
    await sessions.endOf(getCookie(c, name) ?? '')
    setCookie(c, name, '', { path: base, httpOnly: true, sameSite: 'Lax', secure, maxAge: 0 })
    return c.redirect(base, 303)
  })
}

/** The viewer of the dashboard. */
interface Reader {
  /** Whether they may list the jobs of all owners. */
  seesEveryone?: boolean
  /** Whether they are not signed in, and may only read the API reference. */
  isStranger?: boolean
}

const dashboardPage = (base: string, { seesEveryone = false, isStranger = false }: Reader) =>
  htmlPage(
    base,
    'Milepost',
    html`<script type="module" src="dashboard.js"></script></head><body><div id="app" data-sees-everyone="${String(seesEveryone)}" data-is-stranger="${String(isStranger)}"></div></body>`,
  )

const signInPage = (base: string) =>
  htmlPage(
    base,
    'Sign in – Milepost',
    html`</head><body><main class="sign-in"><h1>Sign in</h1>
<p>Open a sign-in link. Each works once, for ten minutes. The server prints one when it starts; its operator gets
another with <code>milepost sign-in</code>, and one for you with <code>milepost sign-in --sub NAME</code>.</p>
<p><a href="docs">Documentation</a></p></main></body>`,
  )
