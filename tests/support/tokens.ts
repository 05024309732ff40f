import { sign } from 'hono/jwt'

/** The secret of servers under test. Long enough, and nowhere else. */
export const SECRET = 'milepost-tests-sign-with-this-secret'

const DAY_SECONDS = 86_400

/** An access token for a subject with some scopes, for a day unless its claims say otherwise. */
export function accessToken(sub: string, scope = 'jobs:read jobs:write', claims: object = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + DAY_SECONDS
  return sign({ sub, scope, exp, ...claims }, SECRET, 'HS256')
}

/** The same for a server whose clock is a `VirtualClock`: for the 80 days from its beginning. */
export function virtualToken(sub: string, scope?: string, claims: object = {}): Promise<string> {
  const exp = Date.parse('2026-01-01T00:00:00.000Z') / 1_000 + 80 * DAY_SECONDS
  return accessToken(sub, scope, { exp, ...claims })
}
