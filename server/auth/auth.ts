import { sign, verify } from 'hono/jwt'
import { type Clock, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import { LruCache } from '../support/lru.ts'
import { type Grant, type Principal, type Scope, scopes } from './access.ts'
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
  readonly #remembered = new LruCache<string, Verified>(TOKENS_REMEMBERED)

  /** @throws TypeError when a secret is missing or too short */
  constructor(options: AuthOptions, clock: Clock, sessions: Sessions) {
    this.#secrets = [options.secret].flat()
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
    if (!verified?.bearer || !this.#isNow(verified.claims)) return undefined
    const session = sessionOf(verified.bearer)
    return session === undefined || this.#sessions.isKnown(session) ? verified.bearer : undefined
  }

  /** The principal of a token as it stands in `Authorization`: an access token, or one of a single job. @throws ProblemError 401 */
  async bearer(token: string): Promise<Principal> {
    const verified = await this.#verify(token)
    verified.bearer ??= this.#bearerOf(verified.claims)
    await this.#requireSession(sessionOf(verified.bearer))
    return verified.bearer
  }

  #bearerOf(claims: Claims): Principal {
    if (claims.typ === types.job) {
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
    return principalOf(claims)
  }

  /** The principal of a dashboard's cookie. @throws ProblemError 401 */
  async session(cookie: string): Promise<Principal> {
    const principal = await this.#sessions.principalOf(cookie)
    if (!principal) throw sessionOver()
    return principal
  }

  /** What a watch or publish token allows. @throws ProblemError 401 */
  async jobToken(token: string): Promise<{ sub: string; grant: Grant }> {
    const { claims } = await this.#verify(token)
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
    const verified = this.#remembered.get(token) ?? (await this.#verifySignature(token))
    if (verified.claims.exp === undefined) {
      throw refuse(problems.unauthenticated('The token has no exp. Sign one that has.'))
    }
    if (!this.#isNow(verified.claims)) throw invalidToken()
    return verified
  }

  #isNow({ exp, nbf }: Claims): boolean {
    const now = this.#seconds()
    const hasBegun = nbf === undefined || (typeof nbf === 'number' && nbf <= now)
    return hasBegun && typeof exp === 'number' && exp > now
  }

  async #verifySignature(token: string): Promise<Verified> {
    for (const secret of this.#secrets) {
      try {
        // Times are held against our own clock, each time: a remembered token runs out too.
        const claims: unknown = await verify(withoutPrefix(token), secret, {
          alg: 'HS256',
          exp: false,
          nbf: false,
          iat: false,
        })
        if (typeof claims !== 'object' || claims === null) break
        const verified = { claims: { ...claims } }
        this.#remembered.set(token, verified, 1)
        return verified
      } catch {
        // Signed with another secret, perhaps.
      }
    }
    throw invalidToken()
  }

  async #requireSession(session: string | undefined): Promise<void> {
    if (session !== undefined && !(await this.#sessions.isOpen(session))) throw sessionOver()
  }

  #isForUs({ iss, aud }: Claims): boolean {
    const { issuer, audience } = this.#options
    return (issuer === undefined || iss === issuer) && (audience === undefined || [aud].flat().includes(audience))
  }

  #sign(claims: Claims): Promise<string> {
    return sign(claims, this.#secrets[0] ?? '', 'HS256')
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}

function principalOf({ sub, scope, exp }: Claims): Principal {
  // Half a surrogate pair has no UTF-8: stores would take one such name for another.
  if (typeof sub !== 'string' || sub === '' || sub.length > 512 || !sub.isWellFormed()) throw invalidToken()
  const granted = typeof scope === 'string' ? scope.split(' ') : []
  const principal: Principal = { sub, scopes: granted.filter((word): word is Scope => scopes.some((s) => s === word)) }
  if (typeof exp === 'number') principal.expiresAt = exp * 1_000
  return principal
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
