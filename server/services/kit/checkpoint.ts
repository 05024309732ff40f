import type { Clock } from '../../../shared/time/clock.ts'
import type { JobControl } from '../../jobs/emitter.ts'
import { wait } from './wait.ts'

/** How long a service computes before it yields to the event loop: milliseconds. */
const TURN_MS = 10

/**
 * Creates a checkpoint, to be awaited in every long loop: it throws when the job is to end, waits while it is paused, and yields to the
 * event loop from time to time.
 */
export function createCheckpoint(control: JobControl, clock: Clock): () => Promise<void> {
  let turnEnds = clock.now() + TURN_MS
  return async () => {
    control.signal.throwIfAborted()
    await control.untilResumed()
    const rest = turnEnds - clock.now()
    // A clock that was set back must not make a turn long.
    if (rest > 0 && rest <= TURN_MS) return
    await wait(0, clock, control.signal)
    turnEnds = clock.now() + TURN_MS
  }
}

/** Returns `true` at most once in `ms` milliseconds, the first time after `ms`: for reports of which only the newest matters. */
export function createThrottle(ms: number, clock: Clock): () => boolean {
  let last = clock.now()
  return () => {
    if (clock.now() - last < ms) return false
    last = clock.now()
    return true
  }
}
