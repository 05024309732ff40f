import { decode, verify } from 'hono/jwt'
import type { AsymmetricAlgorithm } from 'hono/utils/jwt/jwa'
import type { Clock } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'

/** Where the public keys of an identity provider are published. */
export interface JwksOptions {
  /** A JSON Web Key Set (RFC 7517, 5). */
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

/** Age at which keys are fetched again: milliseconds. A key that its provider withdrew is accepted twice as long at most. */
export const FRESH_MS = 600_000
/** Fetches for unknown keys in {@link REFRESH_WINDOW_MS}: forged tokens must not make this server a load on the provider. */
const REFRESHES = 5
const REFRESH_WINDOW_MS = 60_000
/** Pause after a failed fetch, in which the previous keys are used: milliseconds. */
const RETRY_MS = 5_000
/** Time-out of a fetch: milliseconds. */
const FETCH_MS = 5_000
/** Characters of a key set: more than any provider has. */
const MOST_CHARACTERS = 1_048_576
/** The shortest modulus of an RSA key (RFC 7518, 3.3): characters of base64url for 2,048 bits. */
const RSA_CHARACTERS = 341

interface KeySet {
  keys: readonly JsonWebKey[]
  /** By the monotonic clock. */
  fetchedAt: number
}

type Key = JsonWebKey & { kid?: unknown }

/**
 * The public keys of an identity provider, fetched on first use.
 *
 * Keys stay in use while the provider is away. Promises are not shared between requests: on Workers a request can't wait for the I/O of
 * another.
 */
export class Jwks {
  readonly #url: string
  readonly #fetch: typeof globalThis.fetch
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  #set: KeySet | undefined
  /** Start times of the fetches for unknown keys within the window. */
  #refreshes: number[] = []
  #failedAt = Number.NEGATIVE_INFINITY
  #isAway = false

  /** @param onError called once when the provider becomes unavailable, and once when it is back */
  constructor({ url, fetch = globalThis.fetch }: JwksOptions, clock: Clock, onError: (error: unknown) => void) {
    this.#url = url
    this.#fetch = fetch
    this.#clock = clock
    this.#onError = onError
  }

  /**
   * The claims of a token that the provider signed. Their times are not checked.
   *
   * @returns `undefined` for any other token
   * @throws ProblemError 503 while no keys could be fetched yet
   */
  async verify(token: string): Promise<Record<string, unknown> | undefined> {
    const header = headerOf(token)
    if (!header) return undefined
    let keys = await this.#freshKeys()
    let key = keyFor(header, keys)
    if (!key && this.#mayRefresh()) {
      keys = (await this.#load()) ?? keys
      key = keyFor(header, keys)
    }
    if (!key) return undefined
    try {
      const options = { alg: header.alg, exp: false, nbf: false, iat: false } as const
      const claims: unknown = await verify(token, key, header.typ === undefined ? options : { ...options, typ: TYPES })
      return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? { ...claims } : undefined
    } catch {
      return undefined
    }
  }

  async #freshKeys(): Promise<readonly JsonWebKey[]> {
    const set = this.#set
    const now = this.#clock.monotonic()
    if (set && now - set.fetchedAt < FRESH_MS) return set.keys
    const keys = now - this.#failedAt < RETRY_MS ? undefined : await this.#load()
    if (keys ?? set) return keys ?? set?.keys ?? []
    throw refuse(problems.unavailable('The identity provider does not answer. Try again later.'))
  }

  /** Whether a token with an unknown key may cause a fetch. */
  #mayRefresh(): boolean {
    const now = this.#clock.monotonic()
    this.#refreshes = this.#refreshes.filter((at) => now - at < REFRESH_WINDOW_MS)
    if (this.#refreshes.length >= REFRESHES || now - this.#failedAt < RETRY_MS) return false
    this.#refreshes.push(now)
    return true
  }

  async #load(): Promise<readonly JsonWebKey[] | undefined> {
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
      const keys = parseKeys(await response.text())
      this.#set = { keys, fetchedAt: this.#clock.monotonic() }
      if (this.#isAway) this.#onError(`MILEPOST_JWKS_URL: ${this.#url} answers again.`)
      this.#isAway = false
      return keys
    } catch (error) {
      this.#failedAt = this.#clock.monotonic()
      const reason = abort.signal.aborted
        ? `no answer in ${FETCH_MS} ms`
        : error instanceof Error
          ? error.message
          : error
      if (!this.#isAway) this.#onError(`MILEPOST_JWKS_URL: no keys from ${this.#url}: ${reason}`)
      this.#isAway = true
      return undefined
    } finally {
      this.#clock.clearTimeout(timer)
    }
  }
}

/** @throws Error for text that is no key set */
function parseKeys(text: string): readonly JsonWebKey[] {
  if (text.length > MOST_CHARACTERS) throw new Error(`the key set has more than ${MOST_CHARACTERS} characters`)
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
