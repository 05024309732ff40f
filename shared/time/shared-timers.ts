import type { Clock, Timer } from './clock.ts'

/** Timers of more than one turn run at multiples of this, on the monotonic clock: milliseconds. */
const GRID_MS = 50
/** A wait that was computed from the clock moments ago ends up to so many milliseconds after its multiple. */
const TOLERANCE_MS = 1

/** A clock whose timers run together, up to {@link GRID_MS} late: what waits for them can then be sent together. */
export function shareTimers(clock: Clock): Clock {
  const waiting = new Map<number, { runs: Set<() => void>; timer: Timer }>()
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout(run, ms) {
      const now = clock.monotonic()
      const at = ms === 0 ? 0 : Math.ceil((now + ms - TOLERANCE_MS) / GRID_MS) * GRID_MS
      const runs = waiting.get(at)?.runs ?? new Set()
      if (runs.size === 0) {
        const runAll = () => {
          waiting.delete(at)
          for (const each of runs) each()
        }
        waiting.set(at, { runs, timer: clock.setTimeout(runAll, Math.max(0, at - now)) })
      }
      runs.add(run)
      return () => {
        const due = waiting.get(at)
        if (!runs.delete(run) || runs.size > 0 || due?.runs !== runs) return
        waiting.delete(at)
        clock.clearTimeout(due.timer)
      }
    },
    clearTimeout: (clear) => (clear as (() => void) | undefined)?.(),
  }
}
