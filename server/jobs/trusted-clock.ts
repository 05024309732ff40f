import type { Clock, Timer } from '../../shared/time/clock.ts'
import type { ClockStep } from './engine.ts'

/** How far the wall clock may differ without having been set: milliseconds. NTP corrects smaller errors gradually. */
const TOLERANCE_MS = 1_000
/** How long the wall clock must keep a new time before that is trusted: milliseconds. */
export const SETTLE_MS = 300_000
/** Most steps kept; the earliest are merged. */
const STEPS_KEPT = 32

/**
 * A wall clock that ignores changes which are soon reverted.
 *
 * A wall clock can be set by hand, by NTP or when a virtual machine resumes, and a short-lived mistake must not end jobs or expire tokens.
 * So `now()` starts at the wall clock's time, advances with the monotonic clock, and follows the wall clock while the two agree. When they
 * differ by more than a second, `now()` follows the monotonic clock until the wall clock has kept its new time for five minutes. Then the
 * clock was set on purpose, or the machine slept, and `now()` adopts the new time.
 *
 * Times stored before are on the old time. After a step forward, decisions correct for it with `since` and `steps`, so that nothing ends or
 * expires early; after a step back, earlier deadlines come later by as much.
 */
export class TrustedClock implements Clock {
  readonly #clock: Clock
  #offset: number
  /** A differing offset of the wall clock, and since when it has held on the monotonic clock. */
  #other: { offset: number; since: number } | undefined
  #since: number
  #steps: readonly ClockStep[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
    this.#since = clock.now()
  }

  /** When the server started, or its clock was last set: milliseconds since the Unix epoch. */
  get since(): number {
    return this.#since
  }

  /** Clock changes since the start, the earliest first. */
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
      this.#addStep({ at: monotonic + offset, by: offset - this.#offset })
      this.#offset = offset
      this.#other = undefined
      this.#since = monotonic + offset
    }
    // Whole milliseconds, as the wall clock has them.
    return Math.round(monotonic + this.#offset)
  }

  #addStep(step: ClockStep): void {
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
