import type { Clock } from '../../../shared/time/clock.ts'
import type { JobControl } from '../../jobs/emitter.ts'
import { wait } from './wait.ts'

/** How long a service computes before everything else in the process has its turn: milliseconds. */
const TURN_MS = 10

/**
 * A checkpoint, to be passed in every loop that computes for long: throws when the job is to end, waits while it is paused, and from
 * time to time lets others run, for they share the one thread.
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

/** Says yes at most once in `ms` milliseconds, and not before they have passed once: for news that is stale when the next comes. */
export function createThrottle(ms: number, clock: Clock): () => boolean {
  let last = clock.now()
  return () => {
    if (clock.now() - last < ms) return false
    last = clock.now()
    return true
  }
}
