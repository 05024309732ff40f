import { sign } from 'hono/jwt'
import { SECRET, virtualToken } from '../../support/tokens.ts'

/**
 * Access tokens of mallory, the operator and the victim, and what somebody would forge to be taken for the victim, by the names that plans
 * give them.
 *
 * @param now milliseconds since the epoch
 */
export async function makeTokens(now: number): Promise<Record<string, string>> {
  const exp = now / 1_000 + 80 * 86_400
  const claims = { sub: 'victim', scope: 'jobs:read jobs:write', exp }
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const grant = { typ: 'milepost-job', sub: 'victim', job: 'victims', epoch: 'x', can: 'watch', series: 0 }
  const good = await virtualToken('victim')
  return {
    victim: good,
    mallory: await virtualToken('mallory'),
    reader: await virtualToken('mallory', 'jobs:read'),
    writer: await virtualToken('mallory', 'jobs:write'),
    operator: await virtualToken('operator', 'jobs:admin'),
    expired: await virtualToken('victim', 'jobs:admin', { exp: now / 1_000 - 1 }),
    'not yet': await virtualToken('victim', 'jobs:admin', { nbf: exp - 1 }),
    'for ever': await virtualToken('victim', 'jobs:admin', { exp: exp * 2 }),
    'without exp': await sign({ sub: 'victim', scope: 'jobs:admin' }, SECRET, 'HS256'),
    unsigned: `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`,
    'other secret': await sign(claims, `${SECRET}!`, 'HS256'),
    'as RS256': `${encode({ alg: 'RS256', typ: 'JWT' })}.${good.split('.').slice(1).join('.')}`,
    'session as bearer': await sign({ ...claims, typ: 'milepost-session' }, SECRET, 'HS256'),
    'expired guest': await sign({ ...grant, exp: now / 1_000 - 1 }, SECRET, 'HS256'),
    'guest of another life': await sign({ ...grant, exp }, SECRET, 'HS256'),
    cut: good.slice(0, -3),
    garbage: 'x.y.z',
  }
}
