import type { Clock } from '../../shared/time/clock.ts'

/**
 * The server's clock, as far as its messages show it; the client's own, until they do. It goes on with the monotonic clock: a wall clock that is set
 * while a page is open makes no job seem stalled.
 */
interface ServerClock {
  /** Milliseconds since the epoch, by the server's clock. */
  now(): number
  /** Sets the server's present time. */
  set(at: string): void
  /** Sets it from the `Date` of an answer, which is exact to the second; a more exact time is kept. */
  setRoughly(date: string): void
}

/** Creates a clock that follows the device until the server has told its time. */
export function createServerClock(clock: Clock): ServerClock {
  let offset = clock.now() - clock.monotonic()
  const offsetAt = (at: string) => Date.parse(at) - clock.monotonic()
  return {
    // Whole milliseconds, like wall clocks.
    now: () => Math.round(clock.monotonic() + offset),
    set(at) {
      const told = offsetAt(at)
      if (Number.isFinite(told)) offset = told
    },
    setRoughly(date) {
      const told = offsetAt(date)
      // Uncertainty: the cut-off part of a second, and the time that the answer took.
      if (offset < told || offset > told + 2_000) offset = told + 500
    },
  }
}
