import { sign, verify } from 'hono/jwt'
import { type Clock, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import { LruCache } from '../support/lru.ts'
import { type Grant, isPrincipalName, type Principal, scopes } from './access.ts'
import { FRESH_MS, Jwks, type JwksOptions } from './jwks.ts'
import type { Sessions } from './sessions.ts'
import { withoutPrefix, withPrefix } from './token-prefix.ts'

/** The shortest secret that HS256 allows: 256 bits (RFC 7518, 3.2), in bytes. */
export const SECRET_BYTES = 32

/** How tokens are verified and signed. */
export interface AuthOptions {
  /** For HS256. The first signs; all verify, so that one can be replaced without signing anyone out. */
  secret: string | readonly string[]
  /** The `iss` that access tokens must have. */
  issuer?: string | undefined
  /** The `aud` that access tokens must have. */
  audience?: string | undefined
  /** How far ahead the `exp` of an access token may be: seconds, 90 days by default. */
  tokenSeconds?: number | undefined
  /** An identity provider whose access tokens are accepted too. Needs `issuer` and `audience`. */
  jwks?: JwksOptions | undefined
  /** The claim of an access token that names the principal: `sub` by default. */
  subClaim?: string | undefined
  /**
   * The claim that has the scopes, as a list or separated by spaces. By default the first of `scope`, `scp` and `permissions` that there
   * is.
   */
  scopeClaim?: string | undefined
}

/** The longest life of an access token unless a setting says otherwise: 90 days, in seconds. */
export const DEFAULT_TOKEN_SECONDS = 7_776_000
/** What the clock of whoever signs a token may be ahead of ours: seconds. */
const LEEWAY_SECONDS = 60

/** Verified tokens that are remembered, those used last: verifying costs more than all else that a publish does. */
const TOKENS_REMEMBERED = 1_000

/** The `typ` claims of the tokens that this server makes for itself. */
const types = { job: 'milepost-job' } as const

type Claims = Record<string, unknown>

/** A token whose signature is good. */
interface Verified {
  readonly claims: Claims
  /** Whether an identity provider signed it. Such a token is never one of a single job. */
  readonly isForeign: boolean
  /** When it has to be verified again, by the monotonic clock: its key may have been withdrawn. */
  readonly verifiedUntil: number
  /** Who it speaks for as `Authorization`, once asked. */
  bearer?: Principal
}

/** What a derived token passes on. */
type Maker = Pick<Principal, 'sub' | 'expiresAt' | 'session'>

/** Who a token speaks for, and the tokens that this server hands out. */
export class Auth {
  readonly #secrets: readonly string[]
  readonly #options: AuthOptions
  readonly #clock: Clock
  readonly #sessions: Sessions
  readonly #jwks: Jwks | undefined
  readonly #remembered = new LruCache<string, Verified>(TOKENS_REMEMBERED)

  /**
   * @param onError told of failures of the identity provider
   * @throws TypeError when a secret is missing or too short, or an identity provider comes without issuer and audience
   */
  constructor(options: AuthOptions, clock: Clock, sessions: Sessions, onError: (error: unknown) => void) {
    this.#secrets = [options.secret].flat()
    // Without them a token that the provider made for another service would be accepted.
    if (options.jwks && (options.issuer === undefined || options.audience === undefined)) {
      throw new TypeError('An identity provider needs an issuer and an audience')
    }
    this.#jwks = options.jwks && new Jwks(options.jwks, clock, onError)
    this.#options = options
    this.#clock = clock
    this.#sessions = sessions
    if (this.#secrets.length === 0) throw new TypeError('A secret is needed to sign tokens')
    for (const secret of this.#secrets) {
      if (new TextEncoder().encode(secret).length < SECRET_BYTES) {
        throw new TypeError(`A secret must have at least ${SECRET_BYTES} bytes: make one with "openssl rand -hex 32"`)
      }
    }
  }

  /** The principal of a token that was verified before and still holds, without a turn of waiting; nothing when it takes more. */
  remembered(token: string): Principal | undefined {
    const verified = this.#remembered.get(token)
    if (!verified?.bearer || !this.#isGood(verified)) return undefined
    const session = sessionOf(verified.bearer)
    return session === undefined || this.#sessions.isKnown(session) ? verified.bearer : undefined
  }

  /** The principal of a token as it stands in `Authorization`: an access token, or one of a single job. @throws ProblemError 401 */
  async bearer(token: string): Promise<Principal> {
    const verified = await this.#verify(token)
    verified.bearer ??= this.#bearerOf(verified)
    await this.#requireSession(sessionOf(verified.bearer))
    return verified.bearer
  }

  #bearerOf({ claims, isForeign }: Verified): Principal {
    if (claims.typ === types.job && !isForeign) {
      const { sub, grant } = grantOf(claims)
      return { sub, scopes: [], jobs: [grant] }
    }
    const ours = typeof claims.typ === 'string' && claims.typ.startsWith('milepost-')
    if (ours || !this.#isForUs(claims)) throw invalidToken()
    const { tokenSeconds = DEFAULT_TOKEN_SECONDS } = this.#options
    if (Number(claims.exp) > this.#seconds() + tokenSeconds + LEEWAY_SECONDS) {
      const detail = `The token lives longer than ${tokenSeconds} seconds, the maximum here.`
      throw refuse(problems.unauthenticated(`${detail} Sign one with an earlier exp.`))
    }
    return this.#principalOf(claims)
  }

  /** The principal of a dashboard's cookie. @throws ProblemError 401 */
  async session(cookie: string): Promise<Principal> {
    const principal = await this.#sessions.principalOf(cookie)
    if (!principal) throw sessionOver()
    return principal
  }

  /** What a watch or publish token allows. @throws ProblemError 401 */
  async jobToken(token: string): Promise<{ sub: string; grant: Grant }> {
    const { claims, isForeign } = await this.#verify(token)
    if (isForeign) throw invalidToken()
    const granted = grantOf(claims)
    await this.#requireSession(granted.grant.session)
    return granted
  }

  /**
   * A token that allows one thing with one job, for those who have no account here.
   *
   * @param maker whose rights it passes on: it runs out no later than they do, and ends with their session
   */
  async createJobToken(maker: Maker, grant: Omit<Grant, 'expiresAt' | 'session'>, seconds: number) {
    const { sub, expiresAt = Number.POSITIVE_INFINITY, session: sid } = maker
    const exp = Math.min(this.#seconds() + seconds, Math.floor(expiresAt / 1_000))
    const token = await this.#sign({ typ: types.job, sub, ...grant, sid, iat: this.#seconds(), exp })
    return { token: withPrefix(grant.can, token), expiresAt: new Date(exp * 1_000).toISOString() }
  }

  /**
   * The job id that stands for an idempotency key: the same for the same principal and key, and not to be guessed by anyone else, who could
   * otherwise learn of a job by trying to take its id.
   */
  async deriveJobId(sub: string, key: string): Promise<string> {
    const encoder = new TextEncoder()
    const secret = encoder.encode(this.#secrets[0])
    const hmac = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const digest = await crypto.subtle.sign('HMAC', hmac, encoder.encode(`job id\n${sub}\n${key}`))
    return randomId({ number: () => 0, bytes: (length) => new Uint8Array(digest).subarray(0, length) }, 26)
  }

  async #verify(token: string): Promise<Verified> {
    const known = this.#remembered.get(token)
    const isKnown = known !== undefined && this.#clock.monotonic() < known.verifiedUntil
    const verified = isKnown ? known : await this.#verifySignature(token)
    if (verified.claims.exp === undefined) {
      throw refuse(problems.unauthenticated('The token has no exp. Sign one that has.'))
    }
    if (!this.#isNow(verified.claims)) throw invalidToken()
    return verified
  }

  /** Whether a remembered token can be accepted without verifying it again. */
  #isGood({ claims, verifiedUntil }: Verified): boolean {
    return this.#isNow(claims) && this.#clock.monotonic() < verifiedUntil
  }

  #isNow({ exp, nbf }: Claims): boolean {
    const now = this.#seconds()
    const hasBegun = nbf === undefined || (typeof nbf === 'number' && nbf <= now)
    return hasBegun && typeof exp === 'number' && exp > now
  }

  async #verifySignature(token: string): Promise<Verified> {
    const claims = (await this.#verifyOwn(withoutPrefix(token))) ?? (await this.#verifyForeign(token))
    if (!claims) throw invalidToken()
    this.#remembered.set(token, claims, 1)
    return claims
  }

  async #verifyOwn(token: string): Promise<Verified | undefined> {
    for (const secret of this.#secrets) {
      try {
        // Times are compared with our own clock, at each use: a remembered token expires too.
        const claims: unknown = await verify(token, secret, { alg: 'HS256', exp: false, nbf: false, iat: false })
        if (typeof claims !== 'object' || claims === null) return undefined
        return { claims: { ...claims }, isForeign: false, verifiedUntil: Number.POSITIVE_INFINITY }
      } catch {
        // Perhaps signed with another secret.
      }
    }
    return undefined
  }

  async #verifyForeign(token: string): Promise<Verified | undefined> {
    const claims = await this.#jwks?.verify(token)
    if (!claims) return undefined
    // The provider's clock may differ from ours.
    if (typeof claims.exp === 'number') claims.exp += LEEWAY_SECONDS
    if (typeof claims.nbf === 'number') claims.nbf -= LEEWAY_SECONDS
    return { claims, isForeign: true, verifiedUntil: this.#clock.monotonic() + FRESH_MS }
  }

  async #requireSession(session: string | undefined): Promise<void> {
    if (session !== undefined && !(await this.#sessions.isOpen(session))) throw sessionOver()
  }

  #isForUs({ iss, aud }: Claims): boolean {
    const { issuer, audience } = this.#options
    return (issuer === undefined || iss === issuer) && (audience === undefined || [aud].flat().includes(audience))
  }

  #principalOf(claims: Claims): Principal {
    const { subClaim = 'sub', scopeClaim } = this.#options
    const sub = claims[subClaim]
    if (!isPrincipalName(sub)) throw invalidToken()
    const granted = scopeClaim === undefined ? (claims.scope ?? claims.scp ?? claims.permissions) : claims[scopeClaim]
    const words: readonly unknown[] = typeof granted === 'string' ? granted.split(' ') : [granted].flat()
    const principal: Principal = { sub, scopes: scopes.filter((scope) => words.includes(scope)) }
    if (typeof claims.exp === 'number') principal.expiresAt = claims.exp * 1_000
    return principal
  }

  #sign(claims: Claims): Promise<string> {
    return sign(claims, this.#secrets[0] ?? '', 'HS256')
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}

function grantOf({ typ, sub, job, epoch, can, parts, series = 0, sid, exp }: Claims): { sub: string; grant: Grant } {
  if (typ !== types.job || typeof sub !== 'string' || typeof job !== 'string' || typeof epoch !== 'string') {
    throw invalidToken()
  }
  if ((can !== 'watch' && can !== 'publish') || typeof series !== 'number' || typeof exp !== 'number') {
    throw invalidToken()
  }
  const grant: Grant = { job, epoch, can, series, expiresAt: exp * 1_000 }
  // What is not understood was meant to restrict.
  if (parts === 'header') grant.parts = parts
  else if (parts !== undefined) throw invalidToken()
  if (typeof sid === 'string') grant.session = sid
  else if (sid !== undefined) throw invalidToken()
  return { sub, grant }
}

/** The session that a token of a single job ends with. */
const sessionOf = ({ jobs }: Principal) => jobs?.[0]?.session

const sessionOver = () => refuse(problems.unauthenticated('The session has ended. Sign in again.'))

const invalidToken = () => refuse(problems.unauthenticated('The token is not valid, or has run out. Get a new one.'))
