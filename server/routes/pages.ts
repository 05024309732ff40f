import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { html } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'
import { isAdmin } from '../access.ts'
import { type App, linkTo, type RouteContext } from './context.ts'
import { identify, requireOurPage, sessionCookie } from './identify.ts'

/** The built client: what a browser is served, by its name. */
export interface Assets {
  'dashboard.js': string
  'dashboard.css': string
  'widget.js': string
}

const types: Record<keyof Assets, string> = {
  'dashboard.js': 'text/javascript; charset=utf-8',
  'dashboard.css': 'text/css; charset=utf-8',
  'widget.js': 'text/javascript; charset=utf-8',
}

/** The dashboard, and the element for other people's pages. */
export function pageRoutes(app: App, context: RouteContext, assets: Assets): void {
  const { auth, engine, front, rates, sessions, signIns } = context
  const forPages = secureHeaders({
    // Whether a host is reached over TLS alone is for its owner to say.
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      // The element's style sheets are constructed; Preact sets single properties. Neither needs more than this.
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  })
  // Anyone's page may load the element.
  const forWidget = secureHeaders({ strictTransportSecurity: false, crossOriginResourcePolicy: 'cross-origin' })

  const show = async (c: Context) => {
    const base = linkTo(c, '/')
    const reader = await identify(c, { auth, front }).catch(() => undefined)
    c.header('cache-control', 'no-store')
    if (!reader) {
      rates.takeStranger(front.addressOf(c.req.raw, c.env))
      return c.html(signInPage(base), 401)
    }
    return c.html(dashboardPage(base, isAdmin(reader) && !engine.knowsOwnersOnly))
  }
  for (const path of ['/', '/jobs/:id', '/docs'] as const) app.get(path, forPages, show)
  // Where the app is mounted at /progress, the route "/" is "/progress"; but it is to "/progress/" that links lead.
  app.get('/*', async (c, next) => {
    if (c.req.path !== linkTo(c, '/')) return next()
    return forPages(c, async () => {
      c.res = await show(c)
    })
  })

  // As a module it is fetched by the rules of CORS.
  app.use('/widget.js', cors())
  for (const name of ['dashboard.js', 'dashboard.css', 'widget.js'] as const) {
    app.get(`/${name}`, name === 'widget.js' ? forWidget : forPages, (c) =>
      c.body(assets[name], 200, { 'content-type': types[name], 'cache-control': 'public, max-age=0, must-revalidate' }),
    )
  }

  app.get('/sign-in', forPages, async (c) => {
    // Those who look at a link before they show it ask so, and must not use it up.
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
    // Another site's form must not sign anyone out.
    requireOurPage(c, front)
    const base = linkTo(c, '/')
    const { name, secure } = sessionCookie(c, front)
    await sessions.endOf(getCookie(c, name) ?? '')
    setCookie(c, name, '', { path: base, httpOnly: true, sameSite: 'Lax', secure, maxAge: 0 })
    return c.redirect(base, 303)
  })
}

const page = (base: string, title: string, body: unknown) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<base href="${base}">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="dashboard.css">
${body}
</html>`

/** @param seesEveryone whether the reader may ask for everyone's jobs */
const dashboardPage = (base: string, seesEveryone: boolean) =>
  page(
    base,
    'Milepost',
    html`<script type="module" src="dashboard.js"></script></head><body><div id="app" data-sees-everyone="${String(seesEveryone)}"></div></body>`,
  )

const signInPage = (base: string) =>
  page(
    base,
    'Sign in – Milepost',
    html`</head><body><main class="sign-in"><h1>Sign in</h1>
<p>Open a link that signs you in: each does so once, within ten minutes. The server prints one when it starts;
whoever runs it gets another with <code>milepost sign-in</code>, and one for you with <code>milepost sign-in --sub NAME</code>.</p></main></body>`,
  )
