import type { Clock, Timer } from '../../shared/time/clock.ts'
import type { ClockStep } from './engine.ts'

/** How far the wall clock may differ without having been set: milliseconds. NTP corrects smaller errors gradually. */
const TOLERANCE_MS = 1_000
/** How long the wall clock must keep a time before that is trusted for good: milliseconds. */
export const SETTLE_MS = 300_000
/** How long it must keep a new time at least: milliseconds. */
const ADOPT_MS = 10_000
/** Longest time since the last write of the store in which a start has a plausible clock: milliseconds. */
const PLAUSIBLE_MS = 120_000
/** Most steps kept; the earliest are merged. */
const STEPS_KEPT = 32

/**
 * A wall clock that ignores changes which are soon reverted.
 *
 * A wall clock can be set by hand, by NTP or when a virtual machine resumes, and a short-lived mistake must not end jobs or expire tokens.
 * So `now()` starts at the wall clock's time, advances with the monotonic clock, and follows the wall clock while the two agree. When they
 * differ by more than a second, `now()` follows the monotonic clock until the wall clock has kept its new time for as long as the one
 * before: for five minutes at most, and ten seconds at least. Then the clock was set on purpose, or the machine slept, and `now()` adopts
 * the new time.
 *
 * A machine may start with a wrong clock that NTP corrects soon. So a start more than two minutes after the last write, or before it, has no
 * settled clock until five minutes have passed: nothing from before may end or expire by it.
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
  /** Since when the wall clock has kept the time of `#offset`: milliseconds of the monotonic clock. */
  #heldSince: number
  #steps: readonly ClockStep[] = []

  /** @param lastWrittenAt when the store was last written: milliseconds since the Unix epoch; `undefined` when unknown or irrelevant */
  constructor(clock: Clock, lastWrittenAt = clock.now()) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
    this.#since = clock.now()
    const gap = clock.now() - lastWrittenAt
    const isPlausible = gap > -TOLERANCE_MS && gap < PLAUSIBLE_MS
    this.#heldSince = clock.monotonic() - (isPlausible ? SETTLE_MS : 0)
  }

  /** Whether the wall clock has kept its time for long enough to end or remove what is older than `since`. */
  get isSettled(): boolean {
    return this.#clock.monotonic() - this.#heldSince >= SETTLE_MS
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
    } else if (monotonic - this.#other.since >= this.#adoptMs(this.#other.since)) {
      this.#addStep({ at: monotonic + offset, by: offset - this.#offset })
      this.#offset = offset
      this.#heldSince = this.#other.since
      this.#other = undefined
      this.#since = monotonic + offset
    }
    // Whole milliseconds, as the wall clock has them.
    return Math.round(monotonic + this.#offset)
  }

  /** How long a new time must be kept that appeared at `since`: as long as the time before it. */
  #adoptMs(since: number): number {
    return Math.min(SETTLE_MS, Math.max(ADOPT_MS, since - this.#heldSince))
  }

  #addStep(step: ClockStep): void {
    const [first, second, ...rest] = [...this.#steps, step]
    if (!first || !second || rest.length + 2 <= STEPS_KEPT) this.#steps = [...this.#steps, step]
    // As one step at the second's old time, which is `at - by`.
    else this.#steps = [{ at: second.at + first.by, by: first.by + second.by }, ...rest]
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
