import type { JobControl } from '../../jobs/emitter.ts'

/**
 * Does something with each of many things, a few at once. Nothing new begins while the job is paused, or once it is to end, or after a
 * failure; what has begun is waited for, and then the first failure is thrown.
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
  // All workers wait in one place, so that the job is told once that it has paused.
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
