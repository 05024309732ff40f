import { unqualify } from '../../shared/document/tenant.ts'
import { createRequestSchemas, sessionQuerySchema } from '../../shared/wire/api.ts'
import { flawOfIdentity, fullName, isAdmin, nameFor, type Principal, requireScope, type Scope } from '../auth/access.ts'
import { MAX_CHAIN, type Sessions } from '../auth/sessions.ts'
import { problems, refuse } from '../errors.ts'
import { recordAct } from './audit.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './body/validation.ts'
import { type App, absoluteLinkTo, counted, type RouteContext } from './request/context.ts'

/** Scopes that a sign-in link grants, unless it is for an administrator. */
const personScopes: readonly Scope[] = ['jobs:read', 'jobs:write']
const adminScopes: readonly Scope[] = [...personScopes, 'jobs:admin']
const CHAIN_ENDS = `This session is the last of ${MAX_CHAIN} that were made by each other's links. Make the link with an access token, or with "milepost sign-in".`

const OTHER_TENANT = problems.forbidden('tenant: must be your own. Leave it out.', [
  { field: 'tenant', detail: 'must be your own' },
])
const NEEDS_TENANT = problems.invalid([
  { field: 'sub', detail: 'begins with a tenant. Name the tenant in the field tenant' },
])

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
      const { sub, tenant = maker.tenant, job, admin } = c.req.valid('json')
      if (maker.tenant !== undefined && tenant !== maker.tenant) throw refuse(OTHER_TENANT)
      if (flawOfIdentity(sub, tenant) !== undefined) throw refuse(NEEDS_TENANT)
      const principal: Principal = { sub, scopes: admin ? adminScopes : personScopes }
      if (tenant !== undefined) principal.tenant = tenant
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
        for: nameFor(maker, principal),
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
    const isOthers = sub !== undefined && sub !== principal.sub
    if (!isAdmin(principal) && isOthers) {
      const errors = [{ field: 'sub', detail: 'needs the scope jobs:admin' }]
      throw refuse(problems.forbidden('sub: needs the scope jobs:admin. Leave it out for your own sessions.', errors))
    }
    const { tenant } = principal
    const named = sub ?? (isAdmin(principal) ? undefined : principal.sub)
    if (named === undefined && engine.knowsOwnersOnly) {
      const detail = `is needed: ${engine.name} has no list of all sessions. Name a principal.`
      throw refuse(problems.invalid([{ field: 'sub', detail }]))
    }
    const page = await sessions.list(whoseSessions(tenant, named), cursor)
    const listed = page.sessions.map(({ parent, tenant: theirs, ...session }) => ({
      ...session,
      // Administrators of all tenants have to tell them apart.
      sub: nameFor(principal, { ...session, tenant: theirs }),
      current: session.id === principal.session,
      // Its id tells a digest of another principal's name.
      ...(parent !== undefined && isAdmin(principal) && maySee(principal, session.id, parent) ? { parent } : {}),
    }))
    return c.json({ ...page, sessions: listed }, 200, { 'cache-control': 'no-store' })
  })

  app.delete('/api/sessions/:id', async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:read')
    const id = c.req.param('id')
    const holder = await sessions.holderOf(id)
    if (!holder || !mayEnd(principal, holder) || !(await sessions.end(id))) throw refuse(problems.nothingHere())
    recordAct(c, context, { action: 'session-revoked', for: nameFor(principal, holder), session: id })
    return c.body(null, 204)
  })
}

/** Whose sessions a principal of this tenant, or of none, means by a name; without a name, everyone's. */
function whoseSessions(tenant: string | undefined, named: string | undefined): Parameters<Sessions['list']>[0] {
  if (tenant !== undefined || named === undefined) return { tenant, sub: named }
  const { tenant: theirs, name } = unqualify(named)
  return { tenant: theirs, sub: name }
}

/** Whether the session that made one of a list is in the tenant of the reader too, which the first part of its id tells. */
function maySee({ tenant }: Principal, listed: string, parent: string): boolean {
  return tenant === undefined || parent.startsWith(listed.slice(0, listed.indexOf('-') + 1))
}

/** Whether a principal may end a session: its own; as an administrator, any of its tenant, or of all. */
function mayEnd(principal: Principal, holder: Pick<Principal, 'sub' | 'tenant'>): boolean {
  if (fullName(holder) === fullName(principal)) return true
  return isAdmin(principal) && (principal.tenant === undefined || principal.tenant === holder.tenant)
}
