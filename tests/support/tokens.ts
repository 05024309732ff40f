import { sign } from 'hono/jwt'

/** The secret of servers under test. Long enough, and nowhere else. */
export const SECRET = 'milepost-tests-sign-with-this-secret'

/** An access token for a subject with some scopes: never runs out, unless its claims say so. */
export function accessToken(sub: string, scope = 'jobs:read jobs:write', claims: object = {}): Promise<string> {
  return sign({ sub, scope, ...claims }, SECRET, 'HS256')
}
