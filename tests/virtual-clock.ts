import type { Clock, Timer } from '../shared/time/clock.ts'

/** The longest wait that a runtime's `setTimeout` takes; a longer one fires at once there. */
const LONGEST_WAIT = 2 ** 31 - 1

interface Waiting {
  /** By the monotonic clock. */
  at: number
  run: () => void
}

/**
 * Time that stands still until a test moves it.
 *
 * @example
 * ```ts
 * const clock = new VirtualClock()
 * clock.setTimeout(() => pings.push(clock.now()), 30_000)
 * await clock.advance(30_000)
 * expect(clock.pending).toBe(0)
 * ```
 */
export class VirtualClock implements Clock {
  #monotonic = 0
  /** What the wall clock shows at the monotonic 0. */
  #start: number
  /** In the order of their making, which is the order among those that fall due at one moment. */
  readonly #waiting = new Set<Waiting>()

  constructor(start: number | string = '2026-01-01T00:00:00.000Z') {
    this.#start = typeof start === 'string' ? Date.parse(start) : start
  }

  /** Timers that are neither run nor cleared: what a test expects to be 0 in the end. */
  get pending(): number {
    return this.#waiting.size
  }

  /** When the next timer falls due, or `undefined` when none waits. */
  get nextAt(): number | undefined {
    const next = this.#next()
    return next && this.#start + next.at
  }

  now(): number {
    return this.#start + this.#monotonic
  }

  monotonic(): number {
    return this.#monotonic
  }

  /** Sets the wall clock forward, or back by less than nothing. Timers are on monotonic time, as those of runtimes are. */
  step(ms: number): void {
    this.#start += ms
  }

  /** Throws for a wait that a real clock would not keep. */
  setTimeout(run: () => void, ms: number): Timer {
    if (!(ms >= 0 && ms <= LONGEST_WAIT)) throw new RangeError(`A runtime does not wait for ${ms} milliseconds`)
    // Whole milliseconds, as runtimes wait: parts of them are lost beside the time since 1970.
    const timer = { at: this.#monotonic + Math.ceil(Math.max(0, ms)), run }
    this.#waiting.add(timer)
    return timer
  }

  clearTimeout(timer: Timer): void {
    this.#waiting.delete(timer as Waiting)
  }

  /**
   * Moves time on, and runs on the way what falls due, each timer at its own moment; promises that are ready settle before the first,
   * between any two, and after the last.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle()
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#monotonic = next.at
      this.#waiting.delete(next)
      next.run()
      await settle()
    }
    this.#monotonic = end
  }

  #next(): Waiting | undefined {
    let next: Waiting | undefined
    for (const timer of this.#waiting) if (!next || timer.at < next.at) next = timer
    return next
  }
}

/** Resolves when every promise that can settle without time or I/O has. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
