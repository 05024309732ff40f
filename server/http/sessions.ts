import { createRequestSchemas, sessionQuerySchema } from '../../shared/wire/api.ts'
import { isAdmin, type Principal, requireScope, type Scope } from '../auth/access.ts'
import { MAX_CHAIN } from '../auth/sessions.ts'
import { problems, refuse } from '../errors.ts'
import { recordAct } from './audit.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './body/validation.ts'
import { type App, absoluteLinkTo, counted, type RouteContext } from './context.ts'

/** Scopes that a sign-in link grants, unless it is for an administrator. */
const personScopes: readonly Scope[] = ['jobs:read', 'jobs:write']
const adminScopes: readonly Scope[] = [...personScopes, 'jobs:admin']
const CHAIN_ENDS = `This session is the last of ${MAX_CHAIN} that were made by each other's links. Make the link with an access token, or with "milepost sign-in".`

/** The route to create sign-in links. */
export function signInRoutes(app: App, context: RouteContext): void {
  const { clock, sessions, signIns, front, limits, rates } = context
  const { createSignInLink } = createRequestSchemas(limits)
  const smallJson = [atMost(limits.eventBytes, clock), onlyTypes('application/json'), onlyUtf8(clock)] as const

  app.post(
    '/api/sign-in-links',
    counted(rates, 'tokensPerSecond'),
    ...smallJson,
    valid('json', createSignInLink),
    async (c) => {
      const maker = c.get('principal')
      requireScope(maker, 'jobs:admin')
      const { sub, job, admin } = c.req.valid('json')
      const principal: Principal = { sub, scopes: admin ? adminScopes : personScopes }
      // The new session must not outlive the maker's credentials.
      if (maker.expiresAt !== undefined) principal.expiresAt = maker.expiresAt
      if (maker.session !== undefined) {
        if (!(await sessions.mayMakeLinks(maker.session))) throw refuse(problems.forbidden(CHAIN_ENDS))
        principal.session = maker.session
      }
      const { code, until } = await signIns.createShared({ principal, job })
      const url = absoluteLinkTo(c, front, `/sign-in?code=${code}`)
      const expiresAt = new Date(until).toISOString()
      recordAct(c, context, {
        action: 'link-created',
        for: sub,
        expiresAt,
        ...(admin ? { admin } : {}),
        ...(job === undefined ? {} : { job }),
      })
      return c.json({ url, expiresAt }, 201, { 'cache-control': 'no-store' })
    },
  )
}

/** The routes to list and end sessions: one's own or, with `jobs:admin`, anyone's. */
export function sessionRoutes(app: App, context: RouteContext): void {
  const { engine, sessions } = context
  app.get('/api/sessions', valid('query', sessionQuerySchema), async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:read')
    const { sub, cursor } = c.req.valid('query')
    if (!isAdmin(principal) && sub !== undefined && sub !== principal.sub) {
      const errors = [{ field: 'sub', detail: 'needs the scope jobs:admin' }]
      throw refuse(problems.forbidden('sub: needs the scope jobs:admin. Leave it out for your own sessions.', errors))
    }
    const whose = sub ?? (isAdmin(principal) ? undefined : principal.sub)
    if (whose === undefined && engine.knowsOwnersOnly) {
      const detail = `is needed: ${engine.name} has no list of all sessions. Name a principal.`
      throw refuse(problems.invalid([{ field: 'sub', detail }]))
    }
    const page = await sessions.list(whose, cursor)
    const listed = page.sessions.map(({ parent, ...session }) => ({
      ...session,
      current: session.id === principal.session,
      // Its id tells a digest of another principal's name.
      ...(parent !== undefined && isAdmin(principal) ? { parent } : {}),
    }))
    return c.json({ ...page, sessions: listed }, 200, { 'cache-control': 'no-store' })
  })

  app.delete('/api/sessions/:id', async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:read')
    const id = c.req.param('id')
    const sub = await sessions.subOf(id)
    const isAllowed = sub !== undefined && (sub === principal.sub || isAdmin(principal))
    if (!isAllowed || !(await sessions.end(id))) throw refuse(problems.nothingHere())
    recordAct(c, context, { action: 'session-revoked', for: sub, session: id })
    return c.body(null, 204)
  })
}
