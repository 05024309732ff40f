import { decode, sign, verify } from 'hono/jwt'
import { isTenant } from '../../shared/document/tenant.ts'
import { type Clock, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import { LruCache } from '../support/lru.ts'
import { flawOfIdentity, type Grant, type Principal } from './access.ts'
import { type Claims, DEFAULT_TENANT_CLAIM, isVouchedFor, nameOf, scopesOf, UNVERIFIED } from './claims.ts'
import { Jwks, type JwksOptions, OLD_MS } from './jwks.ts'
import { type SecretKey, secretKeyOf } from './secret-key.ts'
import type { Sessions } from './sessions.ts'
import { withoutPrefix, withPrefix } from './token-prefix.ts'

/** Minimum length of an HS256 secret (RFC 7518, 3.2): bytes. */
export const SECRET_BYTES = 32

/** How tokens are signed and verified. */
export interface AuthOptions {
  /** HS256 secrets. The first signs, all verify, so that a secret can be rotated without signing anyone out. */
  secret: string | readonly string[]
  /** Required `iss` of access tokens. */
  issuer?: string | undefined
  /** Required `aud` of access tokens. */
  audience?: string | undefined
  /** Longest remaining life of an access token: seconds. Default: 90 days. */
  tokenSeconds?: number | undefined
  /** An identity provider whose access tokens are accepted too. Needs `issuer` and `audience`. */
  jwks?: JwksOptions | undefined
  /** The claim of an access token that names the principal. Default: `sub`. */
  subClaim?: string | undefined
  /** The claim of an access token that names the principal's tenant. Default: `tenant`. */
  tenantClaim?: string | undefined
  /**
   * The claim with the scopes, as a list or separated by spaces. Default: the first that exists of `scope`, `scp` and `permissions`.
   */
  scopeClaim?: string | undefined
}

/** Default of `tokenSeconds`: 90 days. */
export const DEFAULT_TOKEN_SECONDS = 7_776_000
/** How far another signer's clock may differ from ours: seconds. */
const LEEWAY_SECONDS = 60
/** How often the operator is told why tokens were refused that are otherwise valid: milliseconds. */
const TELL_MS = 60_000

/** Most verified tokens in the LRU cache: verifying one costs more than the rest of a publish. */
const CACHE_SIZE = 1_000

/** `typ` claims of the tokens that this server issues. */
const types = { job: 'milepost-job' } as const

/** A token with a valid signature. */
interface Verified {
  readonly claims: Claims
  /** Whether an identity provider signed it. Such a token is never one of a single job. */
  readonly isForeign: boolean
  /** When it has to be verified again, by the monotonic clock: its key may have been withdrawn. */
  readonly verifiedUntil: number
  /** Its principal when sent as `Authorization`; set on first use. */
  bearer?: Principal
}

/** What a derived token inherits from its maker. */
type Maker = Pick<Principal, 'sub' | 'tenant' | 'expiresAt' | 'session'>

/** A verified token of a single job. */
interface JobToken {
  /** The principal that made it, and its tenant, which is the job's. */
  sub: string
  tenant?: string
  grant: Grant
}

/** Authenticates tokens, and issues tokens of single jobs. */
export class Auth {
  readonly #secrets: readonly string[]
  /** Not a promise: on Workers a request can't wait for what another has begun. */
  #secretKeys: readonly SecretKey[] | undefined
  readonly #options: AuthOptions
  readonly #clock: Clock
  readonly #sessions: Sessions
  readonly #jwks: Jwks | undefined
  readonly #onError: (error: unknown) => void
  readonly #cache = new LruCache<string, Verified>(CACHE_SIZE)
  #toldAt = Number.NEGATIVE_INFINITY

  /**
   * @param onError called for failures of the identity provider, and for tokens of it that can't name a principal
   * @throws TypeError when a secret is missing or too short, or an identity provider has no issuer, audience or https URL
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
    this.#onError = onError
    if (this.#secrets.length === 0) throw new TypeError('A secret is needed to sign tokens')
    for (const secret of this.#secrets) {
      if (new TextEncoder().encode(secret).length < SECRET_BYTES) {
        throw new TypeError(`A secret must have at least ${SECRET_BYTES} bytes: make one with "openssl rand -hex 32"`)
      }
    }
  }

  /** The principal of a cached, still valid token, synchronously; `undefined` if `bearer()` has to check it. */
  remembered(token: string): Principal | undefined {
    const verified = this.#cache.get(token)
    if (!verified?.bearer || !this.#isUsable(verified)) return undefined
    const session = sessionOf(verified.bearer)
    return session === undefined || this.#sessions.isKnown(session) ? verified.bearer : undefined
  }

  /** Authenticates a token from `Authorization`: an access token, or one of a single job. @throws ProblemError 401 */
  async bearer(token: string): Promise<Principal> {
    const verified = await this.#verify(token)
    verified.bearer ??= this.#bearerOf(verified)
    await this.#requireSession(sessionOf(verified.bearer))
    return verified.bearer
  }

  #bearerOf({ claims, isForeign }: Verified): Principal {
    if (claims.typ === types.job && !isForeign) {
      const { grant, ...maker } = grantOf(claims)
      return { ...maker, scopes: [], jobs: [grant] }
    }
    const ours = typeof claims.typ === 'string' && claims.typ.startsWith('milepost-')
    if (ours || !this.#isForUs(claims)) throw invalidToken()
    const { tokenSeconds = DEFAULT_TOKEN_SECONDS } = this.#options
    if (Number(claims.exp) > this.#seconds() + tokenSeconds + LEEWAY_SECONDS) {
      const detail = `The token lives longer than ${tokenSeconds} seconds, the maximum here.`
      throw refuse(problems.unauthenticated(`${detail} Sign one with an earlier exp.`))
    }
    if (isForeign && !isVouchedFor(claims, this.#options.subClaim)) {
      this.#tell(`MILEPOST_SUB_CLAIM: an access token was refused: ${UNVERIFIED}`)
      throw invalidToken()
    }
    return this.#principalOf(claims, leewayOf(isForeign))
  }

  /** Tells the operator what strangers are not told. */
  #tell(refusal: string): void {
    const now = this.#clock.monotonic()
    if (now - this.#toldAt < TELL_MS) return
    this.#toldAt = now
    this.#onError(refusal)
  }

  /** Authenticates a session cookie. @throws ProblemError 401 */
  async session(cookie: string): Promise<Principal> {
    const principal = await this.#sessions.principalOf(cookie)
    if (!principal) throw sessionOver()
    return principal
  }

  /** Verifies a watch or publish token. @throws ProblemError 401 */
  async jobToken(token: string): Promise<JobToken> {
    const { claims, isForeign } = await this.#verify(token)
    if (isForeign) throw invalidToken()
    const granted = grantOf(claims)
    await this.#requireSession(granted.grant.session)
    return granted
  }

  /**
   * Issues a token for one job, for people without an account.
   *
   * @param maker principal whose access is passed on: the token expires no later than it, and ends with its session
   * @param seconds life of the token
   */
  async createJobToken(maker: Maker, grant: Omit<Grant, 'expiresAt' | 'session'>, seconds: number) {
    const { sub, tenant, expiresAt = Number.POSITIVE_INFINITY, session: sid } = maker
    const exp = Math.min(this.#seconds() + seconds, Math.floor(expiresAt / 1_000))
    const token = await this.#sign({ typ: types.job, sub, tenant, ...grant, sid, iat: this.#seconds(), exp })
    return { token: withPrefix(grant.can, token), expiresAt: new Date(exp * 1_000).toISOString() }
  }

  /**
   * Derives a job id from an idempotency key: the same for the same principal and key. Nobody else can guess it; otherwise they could detect
   * a job by trying to create its id.
   *
   * @param who the principal's full name
   */
  async deriveJobId(who: string, key: string): Promise<string> {
    const encoder = new TextEncoder()
    const secret = encoder.encode(this.#secrets[0])
    const hmac = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const digest = await crypto.subtle.sign('HMAC', hmac, encoder.encode(`job id\n${who}\n${key}`))
    return randomId({ number: () => 0, bytes: (length) => new Uint8Array(digest).subarray(0, length) }, 26)
  }

  async #verify(token: string): Promise<Verified> {
    const known = this.#cache.get(token)
    const isKnown = known !== undefined && this.#clock.monotonic() < known.verifiedUntil
    const verified = isKnown ? known : await this.#verifySignature(token)
    if (verified.claims.exp === undefined) {
      throw refuse(problems.unauthenticated('The token has no exp. Sign one that has.'))
    }
    if (!this.#isNow(verified)) throw invalidToken()
    return verified
  }

  /** Whether a cached token can be accepted without verifying it again. */
  #isUsable(verified: Verified): boolean {
    return this.#isNow(verified) && this.#clock.monotonic() < verified.verifiedUntil
  }

  #isNow({ claims: { exp, nbf }, isForeign }: Verified): boolean {
    const now = this.#seconds()
    const leeway = leewayOf(isForeign)
    const hasBegun = nbf === undefined || (typeof nbf === 'number' && nbf - leeway <= now)
    return hasBegun && typeof exp === 'number' && exp + leeway > now
  }

  async #verifySignature(token: string): Promise<Verified> {
    const claims = (await this.#verifyOwn(withoutPrefix(token))) ?? (await this.#verifyForeign(token))
    if (!claims) throw invalidToken()
    this.#cache.set(token, claims, 1)
    return claims
  }

  async #verifyOwn(token: string): Promise<Verified | undefined> {
    const keys = await this.#keys()
    const kid = keys.length > 1 ? kidOf(token) : undefined
    const named = keys.find((key) => key.kid === kid)
    // A backend that signs tokens itself may name its secret in its own way, or not at all.
    for (const key of named ? [named] : keys) {
      try {
        // `#isNow` checks times on every use, because cached tokens expire too.
        const claims: unknown = await verify(token, key, { alg: 'HS256', exp: false, nbf: false, iat: false })
        if (typeof claims !== 'object' || claims === null) return undefined
        return { claims: { ...claims }, isForeign: false, verifiedUntil: Number.POSITIVE_INFINITY }
      } catch {
        // It may have been signed with another secret.
      }
    }
    return undefined
  }

  async #verifyForeign(token: string): Promise<Verified | undefined> {
    const claims = await this.#jwks?.verify(token)
    return claims && { claims, isForeign: true, verifiedUntil: this.#clock.monotonic() + OLD_MS }
  }

  async #requireSession(session: string | undefined): Promise<void> {
    if (session !== undefined && !(await this.#sessions.isOpen(session))) throw sessionOver()
  }

  #isForUs({ iss, aud }: Claims): boolean {
    const { issuer, audience } = this.#options
    return (issuer === undefined || iss === issuer) && (audience === undefined || [aud].flat().includes(audience))
  }

  #principalOf(claims: Claims, leeway: number): Principal {
    const { subClaim, scopeClaim, tenantClaim = DEFAULT_TENANT_CLAIM } = this.#options
    const sub = nameOf(claims, subClaim)
    if (sub === undefined) throw invalidToken()
    const tenant = claims[tenantClaim]
    const flaw = flawOfIdentity(sub, tenant)
    if (flaw !== undefined) {
      this.#tell(`MILEPOST_TENANT_CLAIM: an access token was refused: ${flaw}`)
      throw invalidToken()
    }
    const principal: Principal = { sub, scopes: scopesOf(claims, scopeClaim) }
    if (isTenant(tenant)) principal.tenant = tenant
    if (typeof claims.exp === 'number') principal.expiresAt = (claims.exp + leeway) * 1_000
    return principal
  }

  async #sign(claims: Claims): Promise<string> {
    const [first] = await this.#keys()
    // The constructor has checked that there is one.
    return sign(claims, first as SecretKey)
  }

  async #keys(): Promise<readonly SecretKey[]> {
    this.#secretKeys ??= await Promise.all(this.#secrets.map(secretKeyOf))
    return this.#secretKeys
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}

/** How much longer and earlier a token is valid: seconds. Our own clock signed the others. */
const leewayOf = (isForeign: boolean): number => (isForeign ? LEEWAY_SECONDS : 0)

function grantOf({ typ, sub, tenant, job, epoch, can, parts, series = 0, sid, exp }: Claims): JobToken {
  if (typ !== types.job || typeof sub !== 'string' || typeof job !== 'string' || typeof epoch !== 'string') {
    throw invalidToken()
  }
  if ((can !== 'watch' && can !== 'publish') || typeof series !== 'number' || typeof exp !== 'number') {
    throw invalidToken()
  }
  const grant: Grant = { job, epoch, can, series, expiresAt: exp * 1_000 }
  // An unknown value may be a restriction, so refuse it.
  if (parts === 'header') grant.parts = parts
  else if (parts !== undefined) throw invalidToken()
  if (typeof sid === 'string') grant.session = sid
  else if (sid !== undefined) throw invalidToken()
  if (tenant === undefined) return { sub, grant }
  if (!isTenant(tenant)) throw invalidToken()
  return { sub, tenant, grant }
}

/** The `kid` in the header of a JWT, if any. */
function kidOf(token: string): unknown {
  try {
    return (Object(decode(token).header) as { kid?: unknown }).kid
  } catch {
    return undefined
  }
}

/** Id of the session that a token of a single job ends with. */
const sessionOf = ({ jobs }: Principal) => jobs?.[0]?.session

const sessionOver = () => refuse(problems.unauthenticated('The session has ended. Sign in again.'))

const invalidToken = () => refuse(problems.unauthenticated('The token is invalid or expired. Get a new one.'))
