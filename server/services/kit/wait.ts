import type { Clock, Random } from '../../../shared/time/clock.ts'

/** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. Leaves no timer and no listener. */
export function wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = () => {
      clock.clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

const FIRST_MS = 250
const MOST_MS = 10_000

/**
 * How long to wait before trying again, in milliseconds: twice as long after each failure, up to 10 s, and by chance up to half less,
 * so that those who failed together don't come back together.
 *
 * @param failures 1 after the first
 */
export function backoff(failures: number, random: Random): number {
  return Math.round(Math.min(MOST_MS, FIRST_MS * 2 ** (failures - 1)) * (0.5 + random.number() / 2))
}
