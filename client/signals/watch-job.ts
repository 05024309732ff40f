import { effect, untracked } from '@preact/signals-core'
import { type JobProgress, readProgress } from './job-progress.ts'
import type { JobSignalOptions } from './job-signal.ts'
import { getJobSignal } from './shared-job-signal.ts'

/**
 * Calls a function with a job's progress: at once, then at each change, once a frame at most. An error that it throws is reported as uncaught,
 * and does not end the watch.
 *
 * @returns a function that ends it
 * @example
 * ```ts
 * const stop = watchJob({ jobId: 'import-7' }, ({ job, percent }) => console.log(job?.status, percent))
 * ```
 */
export function watchJob(options: JobSignalOptions, listener: (progress: JobProgress) => void): () => void {
  const signals = getJobSignal(options)
  return effect(() => {
    const progress = readProgress(signals)
    untracked(() => {
      try {
        listener(progress)
      } catch (error) {
        // Thrown here it would end the batch of signals that others watch too.
        const { reportError = console.error } = globalThis as Partial<typeof globalThis>
        reportError(error)
      }
    })
  })
}
