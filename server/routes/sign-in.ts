import { createRequestSchemas } from '../../shared/api.ts'
import { type Principal, requireScope, type Scope } from '../access.ts'
import { type App, absoluteLinkTo, counted, type RouteContext } from './context.ts'
import { atMost, onlyTypes, onlyUtf8, valid } from './validation.ts'

/** What a person may do who is not the one that made the link. */
const personScopes: readonly Scope[] = ['jobs:read', 'jobs:write']

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
      const { sub, job } = c.req.valid('json')
      // One's own link gives what one has: an operator gets back in as such.
      const principal: Principal = { sub, scopes: sub === maker.sub ? maker.scopes : personScopes }
      const { code, until } = await signIns.createShared({ principal, job })
      const url = absoluteLinkTo(c, front, `/sign-in?code=${code}`)
      return c.json({ url, expiresAt: new Date(until).toISOString() }, 201, { 'cache-control': 'no-store' })
    },
  )
}
