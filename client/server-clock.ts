import type { Clock } from '../shared/clock.ts'

/**
 * The server's clock, as far as its messages show it; the client's own, until they do. It goes on with the monotonic clock: a wall clock that is set
 * while a page is open makes no job seem stalled.
 */
export interface ServerClock {
  /** Milliseconds since the epoch, by the server's clock. */
  now(): number
  /** Takes the server's word for what time it is now. */
  set(at: string): void
  /** Takes the `Date` of an answer, which says it to the second: what is known more exactly stays. */
  setRoughly(date: string): void
  /** Takes note of something that happened at the server: it can't be earlier there than that. */
  observe(at: string): void
}

export function createServerClock(clock: Clock): ServerClock {
  let offset = clock.now() - clock.monotonic()
  const offsetAt = (at: string) => Date.parse(at) - clock.monotonic()
  return {
    // Whole milliseconds, as wall clocks have them.
    now: () => Math.round(clock.monotonic() + offset),
    set(at) {
      const told = offsetAt(at)
      if (Number.isFinite(told)) offset = told
    },
    setRoughly(date) {
      const told = offsetAt(date)
      // What may be missing: the part of a second that was cut off, and as long as the answer took.
      if (offset < told || offset > told + 2_000) offset = told + 500
    },
    observe(at) {
      if (offsetAt(at) > offset) offset = offsetAt(at)
    },
  }
}
