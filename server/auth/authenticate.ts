import { isTenant } from '../../shared/document/tenant.ts'
import type { Clock } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import { flawOfIdentity, isPrincipalName, type Principal, type Scope, scopes } from './access.ts'

/** The principal of a request, from a session of the app that Milepost is mounted in. */
export interface AppPrincipal {
  /** 1 to 512 characters. */
  sub: string
  /** Its tenant, if it is in one: 1 to 64 characters of `A–Z a–z 0–9 . _ ~ -`. */
  tenant?: string | undefined
  scopes: readonly Scope[]
  /** When the session ends, and with it open streams and tokens made in it: milliseconds since the Unix epoch. */
  expiresAt?: number | undefined
}

/** Who sent a request to this server: the client, or the last proxy before it. */
export interface Peer {
  /** Omitted without the option `addressOf`. */
  address: string | undefined
  /** Whether it is one of `trustedProxies`. Headers of a gateway are to be believed only then: anyone can send any header. */
  isTrustedProxy: boolean
}

/** @returns nothing for a request without a session of the app */
export type Authenticate = (
  request: Request,
  peer: Peer,
) => AppPrincipal | undefined | Promise<AppPrincipal | undefined>

/** An app's `authenticate` that is bounded and checked. */
export type CheckedAuthenticate = (request: Request, peer: Peer) => Promise<Principal | undefined>

/** The longest that an app may take to identify a request: milliseconds. */
const AUTHENTICATE_MS = 5_000

/**
 * Wraps an app's `authenticate`: validates its result and bounds its time.
 *
 * @param onError called with the cause of a failure; the client does not get it
 * @returns a function that throws ProblemError 503 when `authenticate` throws, takes too long or returns anything else
 */
export function checkedAuthenticate(
  authenticate: Authenticate,
  clock: Clock,
  onError: (error: unknown) => void,
): CheckedAuthenticate {
  return async (request, peer) => {
    let timer: unknown
    try {
      const late = new Promise<never>((_, reject) => {
        timer = clock.setTimeout(
          () => reject(new Error(`authenticate has not answered for ${AUTHENTICATE_MS} ms`)),
          AUTHENTICATE_MS,
        )
      })
      const principal = await Promise.race([authenticate(request, peer), late])
      return principal === undefined || principal === null ? undefined : checked(principal, clock.now())
    } catch (error) {
      onError(error)
      throw refuse(problems.unavailable('Sign-in does not work now. Try again later.'))
    } finally {
      clock.clearTimeout(timer)
    }
  }
}

/** @throws TypeError for an invalid principal */
function checked(principal: AppPrincipal, now: number): Principal | undefined {
  const { sub, tenant, scopes: granted, expiresAt } = Object(principal) as AppPrincipal
  if (!isPrincipalName(sub))
    throw new TypeError('authenticate returned a principal whose sub is not 1 to 512 characters')
  if (!Array.isArray(granted) || !granted.every((scope) => scopes.includes(scope))) {
    throw new TypeError(`authenticate returned a principal whose scopes are not of ${scopes.join(', ')}`)
  }
  const flaw = flawOfIdentity(sub, tenant)
  if (flaw !== undefined) throw new TypeError(`authenticate returned a principal that is not valid: ${flaw}`)
  const found: Principal = { sub, scopes: [...granted], ...(isTenant(tenant) ? { tenant } : {}) }
  if (expiresAt === undefined) return found
  if (!Number.isFinite(expiresAt)) throw new TypeError('authenticate returned a principal whose expiresAt is no time')
  return expiresAt > now ? { ...found, expiresAt } : undefined
}
