import type { Clock, Timer } from '../../../shared/time/clock.ts'
import { HEAVY, type Share, takeLight, takeShares } from './fair-share.ts'

/** The longest that a request waits for others to be committed with: milliseconds. */
export const GATHER_MS = 2
/** A group this large is not waited with: another request would make it hardly any cheaper. */
export const ENOUGH = 32

/**
 * Gathers requests into groups, one of which is committed at a time: a commit costs about the same for one and for thirty.
 *
 * A request waits only while others can be expected. Producers who publish again when they are answered are all here at last, and then
 * there is nobody to wait for: so a group is complete when it is as large as what was under way at once before, and one who is alone
 * never waits.
 */
export class GroupCommit<T extends Share> {
  readonly #clock: Clock
  readonly #commit: (group: T[]) => Promise<() => void>
  #waiting: T[] = []
  /** How many are being committed. */
  #committing = 0
  /** How many were under way at once, waiting or being committed. */
  #expected = 1
  #timer: Timer | undefined
  #isScheduled = false
  /** The last group kept others waiting: those come next that take a moment. */
  #isLightNext = false

  /** @param commit never rejects; resolves with what answers the group, called when it is under way no more: who is answered may come back at once */
  constructor(clock: Clock, commit: (group: T[]) => Promise<() => void>) {
    this.#clock = clock
    this.#commit = commit
  }

  add(request: T): void {
    this.#waiting.push(request)
    this.#expected = Math.max(this.#expected, this.#waiting.length + this.#committing)
    if (this.#committing === 0) this.#schedule()
  }

  /** Commits all that waits, and resolves once nothing does any more. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#committing > 0) {
      if (this.#committing === 0) await this.#next()
      else await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  get #isComplete(): boolean {
    return this.#waiting.length >= Math.min(this.#expected, ENOUGH)
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#timer !== undefined && !this.#isComplete)) return
    this.#isScheduled = true
    // A microtask would come before the next request is read from its socket: nothing would ever be grouped.
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#committing > 0 || this.#waiting.length === 0) return
      if (this.#isComplete) void this.#next()
      else this.#timer ??= this.#clock.setTimeout(() => void this.#next(), GATHER_MS)
    })
  }

  #choose(): { group: T[]; rest: T[] } {
    const light = this.#isLightNext ? takeLight(this.#waiting) : undefined
    return light && light.group.length > 0 ? light : takeShares(this.#waiting)
  }

  async #next(): Promise<void> {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const { group, rest } = this.#choose()
    this.#isLightNext = group.some(({ weight }) => weight >= HEAVY)
    this.#waiting = rest
    this.#committing = group.length
    // Whoever is not here by now was waited for in vain.
    this.#expected = group.length
    const answer = await this.#commit(group)
    this.#committing = 0
    answer()
    if (this.#waiting.length > 0) this.#schedule()
  }
}
