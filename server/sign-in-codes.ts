import { type Clock, type Random, randomId } from '../shared/clock.ts'
import type { Principal } from './access.ts'
import type { Engine, Notes } from './engine.ts'

/** How long a sign-in code can be used: seconds. */
export const SIGN_IN_SECONDS = 600
/** Links of this process that nobody has followed yet, at most: the oldest make room. */
const MOST_KEPT = 10_000
/** Bits enough that nobody guesses one. */
const CODE_LENGTH = 26

/** What a code is good for. */
export interface SignIn {
  principal: Principal
  /** The job whose page comes next; without it, the list. */
  job?: string | undefined
}

/** Codes for `/sign-in?code=`: each signs a principal in, once, within ten minutes. */
export class SignInCodes {
  readonly #clock: Clock
  readonly #random: Random
  readonly #notes: Notes
  /** Those of {@link create}, which have something to run. */
  readonly #own = new Map<string, { principal: Principal; onUse: (() => void) | undefined; until: number }>()

  constructor({ engine, clock, random }: { engine: Engine; clock: Clock; random: Random }) {
    this.#clock = clock
    this.#random = random
    this.#notes = engine.notes ?? new ProcessNotes(clock)
  }

  /** A code that this process takes. `onUse` is called when it does. */
  create(principal: Principal, onUse?: () => void): string {
    const code = randomId(this.#random, CODE_LENGTH)
    this.#own.set(code, { principal, onUse, until: this.#until() })
    return code
  }

  /** A code that every process takes which shares the store, and when it runs out: milliseconds. */
  async createShared(signIn: SignIn): Promise<{ code: string; until: number }> {
    const code = randomId(this.#random, CODE_LENGTH)
    const until = this.#until()
    await this.#notes.put(code, JSON.stringify({ ...signIn, until }), until)
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
    const text = code.length === CODE_LENGTH ? await this.#notes.take(code) : undefined
    if (text === undefined) return undefined
    const { until, ...signIn } = JSON.parse(text) as SignIn & { until: number }
    return until > this.#clock.now() ? signIn : undefined
  }

  #until(): number {
    return this.#clock.now() + SIGN_IN_SECONDS * 1_000
  }
}

/** Notes of a store that one process has to itself. */
class ProcessNotes implements Notes {
  readonly #clock: Clock
  readonly #notes = new Map<string, { text: string; until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async put(key: string, text: string, until: number): Promise<void> {
    for (const [kept, note] of this.#notes) {
      if (note.until <= this.#clock.now() || this.#notes.size >= MOST_KEPT) this.#notes.delete(kept)
      else break
    }
    this.#notes.set(key, { text, until })
  }

  async take(key: string): Promise<string | undefined> {
    const text = this.#notes.get(key)?.text
    this.#notes.delete(key)
    return text
  }
}
