import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import type { Engine, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import type { Principal } from './access.ts'

/** How long a sign-in code can be used: seconds. */
export const SIGN_IN_SECONDS = 600
/** Bits enough that nobody guesses one. */
const CODE_LENGTH = 26

/** What a code is good for. */
export interface SignIn {
  principal: Principal
  /** The job whose page comes next; without it, the list. */
  job?: string | undefined
}

/** Codes for `/sign-in?code=`: each signs a principal in, once, within ten minutes. The store has digests of them alone. */
export class SignInCodes {
  readonly #clock: Clock
  readonly #random: Random
  readonly #notes: Notes
  /** Those of {@link create}, which have something to run. */
  readonly #own = new Map<string, { principal: Principal; onUse: (() => void) | undefined; until: number }>()

  constructor({ engine, clock, random }: { engine: Pick<Engine, 'notes'>; clock: Clock; random: Random }) {
    this.#clock = clock
    this.#random = random
    this.#notes = engine.notes
  }

  /** A code that this process takes. `onUse` is called when it does. */
  create(principal: Principal, onUse?: () => void): string {
    const now = this.#clock.now()
    // All live equally long, so the oldest are the first to run out.
    for (const [old, { until }] of this.#own) {
      if (until > now) break
      this.#own.delete(old)
    }
    const code = randomId(this.#random, CODE_LENGTH)
    this.#own.set(code, { principal, onUse, until: now + SIGN_IN_SECONDS * 1_000 })
    return code
  }

  /**
   * A code that every process takes which shares the store, and when it runs out: milliseconds.
   *
   * @param signIn whose principal may run out earlier than codes do: the code does too then
   */
  async createShared(signIn: SignIn): Promise<{ code: string; until: number }> {
    const code = randomId(this.#random, CODE_LENGTH)
    const now = this.#clock.now()
    const until = Math.min(now + SIGN_IN_SECONDS * 1_000, signIn.principal.expiresAt ?? Number.POSITIVE_INFINITY)
    const text = JSON.stringify({ ...signIn, until } satisfies Kept)
    await this.#notes.put({ key: await keyOf(code), text }, until, now)
    return { code, until }
  }

  /** What a code is good for that has not been used and has not run out. */
  async redeem(code: string): Promise<SignIn | undefined> {
    const own = this.#own.get(code)
    if (own) {
      this.#own.delete(code)
      if (own.until <= this.#clock.now()) return undefined
      own.onUse?.()
      return { principal: own.principal }
    }
    const text = code.length === CODE_LENGTH ? await this.#notes.take(await keyOf(code)) : undefined
    if (text === undefined) return undefined
    const { until, ...signIn }: Kept = JSON.parse(text)
    return until > this.#clock.now() ? signIn : undefined
  }
}

/** What the store has of a code. */
type Kept = SignIn & { until: number }

const keyOf = async (code: string) => `sign-in/${await textDigest(code)}`
