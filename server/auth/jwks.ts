import { decode, verify } from 'hono/jwt'
import type { AsymmetricAlgorithm } from 'hono/utils/jwt/jwa'
import type { Clock } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import { isSafeUrl } from '../support/safe-url.ts'
import { boundedText } from './bounded-text.ts'

/** Where the public keys of an identity provider are published. */
export interface JwksOptions {
  /** A JSON Web Key Set (RFC 7517, 5). HTTPS, except on this machine. */
  url: string
  /** `fetch` by default. */
  fetch?: typeof globalThis.fetch
}

/** The algorithms that are accepted, each with the type and curve of its keys (RFC 7518, 3.1; RFC 8037, 3.1). Symmetric ones never are. */
const ALGORITHMS: Readonly<Partial<Record<string, { kty: string; crv?: string }>>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
}

/** The `typ` of access tokens (RFC 9068, 2.1) and of tokens of providers that do not follow it. */
const TYPES = ['JWT', 'at+jwt']

/** Age at which keys are fetched again, while they stay in use: milliseconds. */
const FRESH_MS = 300_000
/**
 * Age from which keys stay in use only if the provider gives no new ones: milliseconds. A key that it withdrew is accepted twice as long at
 * most, because a verified token is not verified again for as long.
 */
export const OLD_MS = 600_000
/** Fetches for unknown keys in {@link REFRESH_WINDOW_MS}: forged tokens must not make this server a load on the provider. */
const REFRESHES = 5
const REFRESH_WINDOW_MS = 60_000
/** Pause after a failed fetch, in which the previous keys are used: milliseconds. */
const RETRY_MS = 5_000
/** Time-out of a fetch: milliseconds. */
const FETCH_MS = 5_000
/** Age of a fetch whose end nobody will see: a runtime may drop it with the request that began it, as Workers do. */
const DROPPED_MS = 2 * FETCH_MS
/** Most requests that wait for the fetch of another request. */
const MAX_WAITING = 256
/** How often those look whether it has ended: milliseconds. */
const LOOK_MS = 20
/** The shortest modulus of an RSA key (RFC 7518, 3.3): characters of base64url for 2,048 bits. */
const RSA_CHARACTERS = 341

interface KeySet {
  keys: readonly JsonWebKey[]
  /** By the monotonic clock. */
  fetchedAt: number
}

type Key = JsonWebKey & { kid?: unknown }

/**
 * The public keys of an identity provider, fetched on first use. One fetch is in progress at a time.
 *
 * A request whose key is known does not wait for it, and keys stay in use while the provider is away. Promises are not shared between
 * requests: on Workers a request can't wait for the I/O of another.
 */
export class Jwks {
  readonly #url: string
  readonly #fetch: typeof globalThis.fetch
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  #set: KeySet | undefined
  /** Start time of the fetch in progress. */
  #fetchingSince: number | undefined
  /** Requests that have waited for that fetch. Not counted down: a runtime may drop them too. */
  #waiting = 0
  /** Start times of the fetches for unknown keys within the window. */
  #refreshes: number[] = []
  #failedAt = Number.NEGATIVE_INFINITY
  #isAway = false

  /**
   * @param onError called once when the provider becomes unavailable, and once when it is back
   * @throws TypeError for a URL without HTTPS
   */
  constructor({ url, fetch = globalThis.fetch }: JwksOptions, clock: Clock, onError: (error: unknown) => void) {
    if (!isSafeUrl(url)) throw new TypeError(`The keys of an identity provider need an https URL, not "${url}"`)
    this.#url = url
    this.#fetch = fetch
    this.#clock = clock
    this.#onError = onError
  }

  /**
   * The claims of a token that the provider signed. Their times are not checked.
   *
   * @returns `undefined` for any other token
   * @throws ProblemError 503 while no keys could be fetched yet, or if too many requests wait for them
   */
  async verify(token: string): Promise<Record<string, unknown> | undefined> {
    const header = headerOf(token)
    const key = header && (await this.#keyFor(header))
    if (!key) return undefined
    try {
      const options = { alg: header.alg, exp: false, nbf: false, iat: false } as const
      const claims: unknown = await verify(token, key, header.typ === undefined ? options : { ...options, typ: TYPES })
      return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? { ...claims } : undefined
    } catch {
      return undefined
    }
  }

  async #keyFor(header: Header): Promise<JsonWebKey | undefined> {
    const known = this.#set && keyFor(header, this.#set.keys)
    const age = this.#age()
    if (known && age < FRESH_MS) return known
    const wasDropped = this.#fetchingSince !== undefined && !this.#isFetching()
    const fetched = this.#mayFetch() ? this.#load() : undefined
    if (known && (age < OLD_MS || this.#isAway) && !wasDropped) return known
    await (fetched ?? this.#fetchOfAnother())
    if (!this.#set) throw unavailable()
    return keyFor(header, this.#set.keys)
  }

  /** Age of the keys: milliseconds. */
  #age(): number {
    return this.#set ? this.#clock.monotonic() - this.#set.fetchedAt : Number.POSITIVE_INFINITY
  }

  #isFetching(): boolean {
    return this.#fetchingSince !== undefined && this.#clock.monotonic() - this.#fetchingSince < DROPPED_MS
  }

  /** Whether a token whose key is stale or unknown may cause a fetch. */
  #mayFetch(): boolean {
    const now = this.#clock.monotonic()
    if (this.#isFetching() || now - this.#failedAt < RETRY_MS) return false
    if (this.#age() >= FRESH_MS) return true
    this.#refreshes = this.#refreshes.filter((at) => now - at < REFRESH_WINDOW_MS)
    if (this.#refreshes.length >= REFRESHES) return false
    this.#refreshes.push(now)
    return true
  }

  /** Waits until no fetch is in progress. @throws ProblemError 503 if too many requests do */
  async #fetchOfAnother(): Promise<void> {
    if (!this.#isFetching()) return
    if (this.#waiting >= MAX_WAITING) throw unavailable()
    this.#waiting += 1
    while (this.#isFetching()) await new Promise<void>((look) => this.#clock.setTimeout(look, LOOK_MS))
  }

  /** Fetches the keys. Never rejects. */
  async #load(): Promise<void> {
    const startedAt = this.#clock.monotonic()
    this.#fetchingSince = startedAt
    this.#waiting = 0
    const abort = new AbortController()
    const timer = this.#clock.setTimeout(() => abort.abort(), FETCH_MS)
    try {
      // Not as a method: Workers' fetch accepts no other `this`.
      const get = this.#fetch
      const response = await get(this.#url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        // Keys come from the address that was configured, and from nowhere else.
        redirect: 'manual',
        signal: abort.signal,
      })
      if (response.status !== 200) throw new Error(`it answers ${response.status}`)
      const keys = parseKeys(await boundedText(response))
      this.#set = { keys, fetchedAt: this.#clock.monotonic() }
      if (this.#isAway) this.#onError(`MILEPOST_JWKS_URL: ${this.#url} answers again.`)
      this.#isAway = false
    } catch (error) {
      this.#failedAt = this.#clock.monotonic()
      const reason = abort.signal.aborted
        ? `no answer in ${FETCH_MS} ms`
        : error instanceof Error
          ? error.message
          : error
      if (!this.#isAway) this.#onError(`MILEPOST_JWKS_URL: no keys from ${this.#url}: ${reason}`)
      this.#isAway = true
    } finally {
      this.#clock.clearTimeout(timer)
      // Closes the connection of a response that was not read to its end.
      abort.abort()
      if (this.#fetchingSince === startedAt) this.#fetchingSince = undefined
    }
  }
}

const unavailable = () => refuse(problems.unavailable('The identity provider does not answer. Try again later.'))

/** @throws Error for text that is no key set */
function parseKeys(text: string): readonly JsonWebKey[] {
  const { keys } = Object(JSON.parse(text)) as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('the answer is no JSON Web Key Set')
  return keys.filter((key): key is JsonWebKey => typeof key === 'object' && key !== null)
}

interface Header {
  alg: AsymmetricAlgorithm
  kid: unknown
  typ: unknown
}

/** The header of a JWT with an accepted algorithm. */
function headerOf(token: string): Header | undefined {
  try {
    const { alg, kid, typ } = Object(decode(token).header) as Record<string, unknown>
    if (typeof alg !== 'string' || !Object.hasOwn(ALGORITHMS, alg)) return undefined
    return { alg: alg as AsymmetricAlgorithm, kid, typ }
  } catch {
    return undefined
  }
}

/** The key that a token names; without a name, the only key of its algorithm. */
function keyFor({ alg, kid }: Header, keys: readonly Key[]): JsonWebKey | undefined {
  const suitable = keys.filter((key) => fits(key, alg) && (kid === undefined || key.kid === kid))
  return suitable.length === 1 ? suitable[0] : undefined
}

function fits(key: Key, alg: string): boolean {
  const { kty, crv } = ALGORITHMS[alg] ?? {}
  if (key.kty !== kty || (crv !== undefined && key.crv !== crv)) return false
  if (key.use !== undefined && key.use !== 'sig') return false
  if (key.alg !== undefined && key.alg !== alg && !(alg === 'EdDSA' && key.alg === 'Ed25519')) return false
  if (key.key_ops !== undefined && !(Array.isArray(key.key_ops) && key.key_ops.includes('verify'))) return false
  return kty !== 'RSA' || (typeof key.n === 'string' && key.n.length >= RSA_CHARACTERS)
}
