import { createRequestSchemas } from '../../shared/wire/api.ts'
import { type Principal, requireScope, type Scope } from '../auth/access.ts'
import { type App, absoluteLinkTo, counted, type RouteContext } from './context.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './validation.ts'

/** What a person may do, unless the link says that it is for an administrator. */
const personScopes: readonly Scope[] = ['jobs:read', 'jobs:write']
const adminScopes: readonly Scope[] = [...personScopes, 'jobs:admin']

/** Links that sign people in. */
export function signInRoutes(app: App, { signIns, front, limits, rates }: RouteContext): void {
  const { createSignInLink } = createRequestSchemas(limits)
  const smallJson = [atMost(limits.eventBytes), onlyTypes('application/json'), onlyUtf8] as const

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
      // What comes of a token or session outlives neither.
      if (maker.expiresAt !== undefined) principal.expiresAt = maker.expiresAt
      const { code, until } = await signIns.createShared({ principal, job })
      const url = absoluteLinkTo(c, front, `/sign-in?code=${code}`)
      return c.json({ url, expiresAt: new Date(until).toISOString() }, 201, { 'cache-control': 'no-store' })
    },
  )
}
