import type { Clock, Timer } from '../../../shared/time/clock.ts'
import { HEAVY, type Share, takeLight, takeShares } from './fair-share.ts'

/** Longest time that a request waits for a group to fill: milliseconds. */
export const GATHER_MS = 2
/** A group of this size commits at once: more requests would hardly make it cheaper per request. */
export const ENOUGH = 32

/**
 * Group commit, one group at a time: a commit costs about the same for one request and for thirty.
 *
 * A group is complete when it has as many requests as were concurrent before: producers that publish again after each response have then
 * all arrived. A lone publish commits at once.
 */
export class GroupCommit<T extends Share> {
  readonly #clock: Clock
  readonly #commit: (group: T[]) => Promise<() => void>
  #waiting: T[] = []
  /** Size of the group being committed. */
  #committing = 0
  /** Highest number of requests waiting or being committed at once, since the last group began. */
  #expected = 1
  #timer: Timer | undefined
  #isScheduled = false
  /** The last group had a heavy request: principals without one go first now. */
  #isLightNext = false

  /**
   * @param commit never rejects; resolves with a function that responds to the group's requests. It is called when the group no longer
   * counts as being committed, because a producer may publish again at once
   */
  constructor(clock: Clock, commit: (group: T[]) => Promise<() => void>) {
    this.#clock = clock
    this.#commit = commit
  }

  add(request: T): void {
    this.#waiting.push(request)
    this.#expected = Math.max(this.#expected, this.#waiting.length + this.#committing)
    if (this.#committing === 0) this.#schedule()
  }

  /** Commits all waiting requests; resolves when none is left. */
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
    // Not a microtask: it would run before the next request is read from its socket, so no group would form.
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
    // Requests that have not arrived by now are not expected again.
    this.#expected = group.length
    const answer = await this.#commit(group)
    this.#committing = 0
    answer()
    if (this.#waiting.length > 0) this.#schedule()
  }
}
