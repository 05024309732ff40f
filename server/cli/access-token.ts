import { sign } from 'hono/jwt'
import { DEFAULT_TENANT_CLAIM } from '../auth/claims.ts'
import { secretKeyOf } from '../auth/secret-key.ts'
import { withPrefix } from '../auth/token-prefix.ts'
import type { ServerSettings } from './settings.ts'

/** Signs an access token for a server with these settings, valid for `seconds` from now. */
export async function signAccessToken(
  { secret, issuer, audience, tenantClaim }: Pick<ServerSettings, 'secret' | 'issuer' | 'audience' | 'tenantClaim'>,
  { sub, tenant, scope, seconds }: { sub: string; tenant?: string | undefined; scope: string; seconds: number },
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const claims = {
    sub,
    scope,
    ...(tenant === undefined ? {} : { [tenantClaim ?? DEFAULT_TENANT_CLAIM]: tenant }),
    iat: now,
    exp: now + seconds,
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
  }
  return withPrefix('access', await sign(claims, await secretKeyOf(secret)))
}
