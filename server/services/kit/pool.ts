import type { JobControl } from '../../jobs/emitter.ts'

/**
 * Runs work on each of many things, a few concurrently. Starts nothing while the job is paused, once it is to end, or after a failure.
 * Waits for what was started, then throws the first failure.
 */
export async function forEachAtOnce<T>(
  things: Iterable<T>,
  atOnce: number,
  control: JobControl,
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const queue = things[Symbol.iterator]()
  let failure: { error: unknown } | undefined
  let gate: Promise<void> | undefined
  // All workers wait for one promise, so that the pause is reported once.
  const untilResumed = () => {
    gate ??= control.untilResumed().finally(() => {
      gate = undefined
    })
    return gate
  }
  const worker = async () => {
    try {
      while (!failure) {
        control.signal.throwIfAborted()
        await untilResumed()
        if (failure) return
        const next = queue.next()
        if (next.done) return
        await work(next.value)
      }
    } catch (error) {
      failure ??= { error }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  if (failure) throw (failure as { error: unknown }).error
}
