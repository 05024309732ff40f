import type { Clock, Timer } from '../../shared/time/clock.ts'
import type { ClockStep } from './engine.ts'

/** What the wall clock may differ without having been set: it is steered by so much at once. Milliseconds. */
const TOLERANCE_MS = 1_000
/** How long the wall clock has to keep the time that it was set to, before that is believed: milliseconds. */
export const SETTLE_MS = 300_000
/** Steps that are told apart: of more, the earliest count as one. */
const STEPS_KEPT = 32

/**
 * The wall clock, as far as it can be trusted.
 *
 * A wall clock can be set, by hand, by NTP or by a virtual machine that wakes up, and deadlines, expiries and tokens must not be judged by
 * a mistake that is mended a moment later. So time goes on with the monotonic clock, from what the wall clock showed at the start, and
 * follows the wall clock where the two agree. When they part by more than a second, the monotonic clock is followed for as long as the
 * wall clock has not kept its new time for five minutes; that long nothing is held up, for time passes as it should. After that it was set on
 * purpose, or the machine slept, and `now()` takes it over.
 *
 * What was written before that is on the old time. Of a clock that was set forward, `since` and `steps` tell decisions what to take off, so
 * that nothing ends or expires the earlier for it; of one that was set back, deadlines from before come as much later.
 */
export class TrustedClock implements Clock {
  readonly #clock: Clock
  #offset: number
  /** Where the wall clock stands instead, and since when, by the monotonic clock. */
  #other: { offset: number; since: number } | undefined
  #since: number
  #steps: readonly ClockStep[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
    this.#since = clock.now()
  }

  /** When the server started, or its clock was set last: milliseconds since the epoch. */
  get since(): number {
    return this.#since
  }

  /** When the clock was set since the start, the earliest first. */
  get steps(): readonly ClockStep[] {
    return this.#steps
  }

  now(): number {
    const monotonic = this.#clock.monotonic()
    const offset = this.#clock.now() - monotonic
    if (Math.abs(offset - this.#offset) <= TOLERANCE_MS) {
      this.#offset = offset
      this.#other = undefined
    } else if (!this.#other || Math.abs(offset - this.#other.offset) > TOLERANCE_MS) {
      this.#other = { offset, since: monotonic }
    } else if (monotonic - this.#other.since >= SETTLE_MS) {
      this.#take({ at: monotonic + offset, by: offset - this.#offset })
      this.#offset = offset
      this.#other = undefined
      this.#since = monotonic + offset
    }
    // Whole milliseconds, as the wall clock has them.
    return Math.round(monotonic + this.#offset)
  }

  #take(step: ClockStep): void {
    const [first, second, ...rest] = [...this.#steps, step]
    if (!first || !second || rest.length + 2 <= STEPS_KEPT) this.#steps = [...this.#steps, step]
    else this.#steps = [{ at: second.at, by: first.by + second.by }, ...rest]
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimeout(run: () => void, ms: number): Timer {
    return this.#clock.setTimeout(run, ms)
  }

  clearTimeout(timer: Timer): void {
    this.#clock.clearTimeout(timer)
  }
}
