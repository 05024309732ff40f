import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { html } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'
import { fullName, isAdmin, type Principal } from '../../auth/access.ts'
import { ProblemError } from '../../errors.ts'
import { type App, type Env, linkTo, type RouteContext } from '../request/context.ts'
import { identify } from '../request/identify.ts'
import { type Docs, docRoutes } from './docs.ts'
import { forPages, htmlPage } from './html.ts'
import { manifestRoutes } from './manifest.ts'
import { serveText } from './serve-text.ts'
import { signInPage, signInPageRoutes } from './sign-in.ts'

/** The built client and documentation. */
export interface Assets {
  'dashboard.js': string
  /** Modules that `dashboard.js` loads from beside it when it needs them. */
  'operator.js': string
  'api.js'?: string
  'asks.js'?: string
  'bulk.js'?: string
  'job.js'?: string
  'shared.js'?: string
  'start.js'?: string
  'dashboard.css': string
  'widget.js': string
  /** What the element loads when it needs it. */
  'widget-more.js'?: string
  'widget-full.js'?: string
  /** Omitted: no documentation. */
  docs?: Docs
}

const types = {
  'dashboard.js': 'text/javascript; charset=utf-8',
  'api.js': 'text/javascript; charset=utf-8',
  'asks.js': 'text/javascript; charset=utf-8',
  'bulk.js': 'text/javascript; charset=utf-8',
  'job.js': 'text/javascript; charset=utf-8',
  'operator.js': 'text/javascript; charset=utf-8',
  'shared.js': 'text/javascript; charset=utf-8',
  'start.js': 'text/javascript; charset=utf-8',
  'dashboard.css': 'text/css; charset=utf-8',
  'widget.js': 'text/javascript; charset=utf-8',
  'widget-more.js': 'text/javascript; charset=utf-8',
  'widget-full.js': 'text/javascript; charset=utf-8',
}

/** The routes of the dashboard and of the element for other sites. */
export function pageRoutes(app: App, context: RouteContext, assets: Assets): void {
  const { engine, front, rates } = context
  // Pages of any site may load the element.
  const forWidget = secureHeaders({ strictTransportSecurity: false, crossOriginResourcePolicy: 'cross-origin' })

  const readerFor = (reader: Principal): Reader => ({
    isAdmin: isAdmin(reader),
    runsServer: isAdmin(reader) && reader.tenant === undefined,
    seesEveryone: isAdmin(reader) && !engine.knowsOwnersOnly,
    viewer: reader.session ?? fullName(reader),
  })
  /** The signed-in principal, if any. @throws ProblemError 429 for too many strangers; other failures, such as an unavailable store */
  const readerOf = async (c: Context<Env>): Promise<Principal | undefined> => {
    try {
      return await identify(c, context)
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.status !== 401) throw error
      rates.takeStranger(front.addressOf(c.req.raw, c.env))
      return undefined
    }
  }
  const show = async (c: Context<Env>) => {
    const base = linkTo(c, '/')
    const reader = await readerOf(c)
    c.header('cache-control', 'no-store')
    if (!reader) return c.html(signInPage(base, context, c.req.param('id')), 401)
    return c.html(dashboardPage(base, readerFor(reader)))
  }
  for (const path of ['/', '/jobs/:id', '/operator'] as const) app.get(path, forPages, show)
  // The dashboard renders the API reference, which is public.
  app.get('/docs/api', forPages, async (c) => {
    const reader = await readerOf(c)
    c.header('cache-control', 'no-store')
    return c.html(dashboardPage(linkTo(c, '/'), reader ? readerFor(reader) : { isStranger: true }))
  })
  signInPageRoutes(app, context)
  manifestRoutes(app)
  docRoutes(app, assets.docs ?? [])
  // With the mount path /progress, the route "/" matches "/progress", but links lead to "/progress/".
  app.get('/*', async (c, next) => {
    if (c.req.path !== linkTo(c, '/')) return next()
    return forPages(c, async () => {
      c.res = await show(c)
    })
  })

  for (const name of Object.keys(types) as (keyof typeof types)[]) {
    const isWidget = name.startsWith('widget')
    // Browsers fetch modules with CORS.
    if (isWidget) app.use(`/${name}`, cors())
    app.get(`/${name}`, isWidget ? forWidget : forPages, (c) =>
      serveText(c, assets[name] ?? '', {
        'content-type': types[name],
        'cache-control': 'public, max-age=0, must-revalidate',
      }),
    )
  }
}

/** The viewer of the dashboard. */
interface Reader {
  /** Whether they may list the jobs of all owners. */
  seesEveryone?: boolean
  /** Whether they have the operator's page. */
  isAdmin?: boolean
  /** Whether they are an administrator of all tenants: of the server. */
  runsServer?: boolean
  /** Tells apart people and their sessions: tabs of one viewer share their connections. No secret. */
  viewer?: string
  /** Whether they are not signed in, and may only read the API reference. */
  isStranger?: boolean
}

function dashboardPage(base: string, reader: Reader) {
  const { seesEveryone = false, isAdmin = false, runsServer = false, isStranger = false, viewer = '' } = reader
  return htmlPage(
    base,
    'Milepost',
    html`<script type="module" src="dashboard.js"></script></head><body><div id="app" data-sees-everyone="${String(seesEveryone)}" data-is-admin="${String(isAdmin)}" data-runs-server="${String(runsServer)}" data-is-stranger="${String(isStranger)}" data-viewer="${viewer}"></div></body>`,
  )
}
