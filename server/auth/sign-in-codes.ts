import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import type { Engine, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import type { Principal } from './access.ts'

/** Life of a sign-in code: seconds. */
export const SIGN_IN_SECONDS = 600
/** Characters of a code, 5 bits each: too many to guess. */
const CODE_LENGTH = 26

/** What a code grants. */
interface SignIn {
  /** Its `session`, if any, is the one that made the code. */
  principal: Principal
  /** The job whose page follows the sign-in; omitted: the list. */
  job?: string | undefined
}

/** One-time codes for `/sign-in?code=`, valid for ten minutes. The store has only their digests. */
export class SignInCodes {
  readonly #clock: Clock
  readonly #random: Random
  readonly #notes: Notes
  readonly #isSessionOpen: (id: string) => Promise<boolean>
  /** Codes of {@link create}, which are not in the store. */
  readonly #own = new Map<string, { principal: Principal; onUse: (() => void) | undefined; until: number }>()

  constructor(options: {
    engine: Pick<Engine, 'notes'>
    clock: Clock
    random: Random
    isSessionOpen: (id: string) => Promise<boolean>
  }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#notes = options.engine.notes
    this.#isSessionOpen = options.isSessionOpen
  }

  /** Creates a code for this process. `onUse` is called when it is redeemed. */
  create(principal: Principal, onUse?: () => void): string {
    const now = this.#clock.now()
    // All codes have the same life, so the map is in the order of their expiry.
    for (const [old, { until }] of this.#own) {
      if (until > now) break
      this.#own.delete(old)
    }
    const code = randomId(this.#random, CODE_LENGTH)
    this.#own.set(code, { principal, onUse, until: now + SIGN_IN_SECONDS * 1_000 })
    return code
  }

  /**
   * Creates a code for every process on the store.
   *
   * @param signIn the code expires and ends no later than its principal's credentials
   * @returns the code and its expiry: milliseconds since the Unix epoch
   */
  async createShared(signIn: SignIn): Promise<{ code: string; until: number }> {
    const code = randomId(this.#random, CODE_LENGTH)
    const now = this.#clock.now()
    const until = Math.min(now + SIGN_IN_SECONDS * 1_000, signIn.principal.expiresAt ?? Number.POSITIVE_INFINITY)
    const text = JSON.stringify({ ...signIn, until } satisfies StoredCode)
    await this.#notes.put({ key: await keyOf(code), text }, until, now)
    return { code, until }
  }

  /** Uses up a code. @returns what it grants; `undefined` if it is unknown, used or expired, or if the session that made it has ended */
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
    const { until, ...signIn }: StoredCode = JSON.parse(text)
    const { session } = signIn.principal
    if (until <= this.#clock.now() || (session !== undefined && !(await this.#isSessionOpen(session)))) return undefined
    return signIn
  }
}

/** A code in the store. */
type StoredCode = SignIn & { until: number }

const keyOf = async (code: string) => `sign-in/${await textDigest(code)}`
