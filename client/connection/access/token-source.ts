import type { Clock } from '../../../shared/time/clock.ts'

/** Gives a token: a new one each time that it is asked, or one that has long to live. */
export type GetToken = () => string | Promise<string>

interface TokenSourceOptions {
  /** The first token. Omitted: it is asked for. */
  token?: string | undefined
  getToken: GetToken
  clock: Clock
  /** Called with a sentence when a token was not given, once until one is. */
  onProblem(problem: string): void
}

/** How long `getToken` may take: milliseconds. */
const ASK_MS = 10_000
/** How long the present token is used before the next is asked for again: milliseconds. */
const AGAIN_MS = 10_000

/**
 * A token that is renewed: before it ends, as far as its claims show when that is, and after a refusal.
 *
 * A failure of `getToken` is left to the caller, who tries again as after a failed request.
 */
export class TokenSource {
  readonly #options: TokenSourceOptions
  #token: string | undefined
  /** On the monotonic clock, milliseconds: when to ask for the next token, and when this one ends. */
  #renewAt = Number.POSITIVE_INFINITY
  #endsAt = Number.POSITIVE_INFINITY
  #asking: Promise<string> | undefined
  #isProblemTold = false

  constructor(options: TokenSourceOptions) {
    this.#options = options
    const { token, clock } = options
    if (token) this.#keep(token, lifeOf(token, clock.now(), false))
  }

  /** The token; asks for one if it has ended or was refused. @throws what `getToken` does, or Error for one that gives nothing in time */
  async get(): Promise<string> {
    const now = this.#options.clock.monotonic()
    if (this.#token === undefined || now >= this.#endsAt) return this.renew()
    // The present one is good for a while.
    if (now >= this.#renewAt) void this.renew().catch(() => {})
    return this.#token
  }

  /** Milliseconds until the next token should be asked for; `undefined` when the end is unknown. */
  get renewInMs(): number | undefined {
    const ms = this.#renewAt - this.#options.clock.monotonic()
    return ms < Number.POSITIVE_INFINITY ? Math.max(0, ms) : undefined
  }

  /** The server does not take this token any more. */
  refuse(token: string): void {
    if (this.#token === token) this.#token = undefined
  }

  /** Asks for another token, once for all who ask at the same time. */
  renew(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<string> {
    const { clock, getToken, onProblem } = this.#options
    const late = Promise.withResolvers<never>()
    const timer = clock.setTimeout(() => late.reject(new Error(`No token after ${ASK_MS / 1_000} s`)), ASK_MS)
    try {
      const token = await Promise.race([getToken(), late.promise])
      if (typeof token !== 'string' || token === '') throw new TypeError('No token')
      // It is new: so much of its life is left, whatever the device's clock says.
      this.#keep(token, lifeOf(token, clock.now(), true))
      this.#isProblemTold = false
      return token
    } catch (error) {
      if (!this.#isProblemTold) onProblem(`getToken failed, and is asked again: ${String(error)}`)
      this.#isProblemTold = true
      if (this.renewInMs !== undefined) this.#renewAt = clock.monotonic() + AGAIN_MS
      throw error
    } finally {
      clock.clearTimeout(timer)
    }
  }

  #keep(token: string, lifeMs = Number.POSITIVE_INFINITY): void {
    const now = this.#options.clock.monotonic()
    this.#token = token
    this.#renewAt = now + lifeMs * 0.9
    this.#endsAt = now + lifeMs
  }
}

/**
 * How long a token has to live: milliseconds; `undefined` when it does not say.
 *
 * @param now milliseconds since the Unix epoch by the device's clock, which may be wrong
 * @param isNew whether it was just issued: then its whole life is left, whatever the clock says
 */
function lifeOf(token: string, now: number, isNew: boolean): number | undefined {
  try {
    const [, claims = ''] = token.split('.')
    const { exp, iat } = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/')))
    const ms = exp * 1_000 - (isNew && iat ? iat * 1_000 : now)
    // Whether a new one has ended, or the clock is wrong, the server knows.
    return ms > 0 ? ms : ms <= 0 && !isNew ? 0 : undefined
  } catch {
    // It is opaque.
    return undefined
  }
}
