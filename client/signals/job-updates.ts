import { effect } from '@preact/signals-core'
import type { Job } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { JobSignalOptions } from './job-signal.ts'
import { getJobSignal } from './shared-job-signal.ts'

/** Which job, how to reach it, and until when. */
export type JobUpdatesOptions = JobSignalOptions & {
  /** Ends the loop without an error. Leaving the loop needs no signal. */
  signal?: AbortSignal | undefined
}

/**
 * A job as an async iterable: the document, then the newest one after each change. A consumer that is slow misses those between. It ends after
 * the document of a job that has ended.
 *
 * @throws Error when there is no such job, or none any more, or the token has expired
 * @example
 * ```ts
 * for await (const job of jobUpdates({ jobId: 'import-7' })) console.log(job.status, job.progress.done)
 * ```
 */
export async function* jobUpdates({ signal, ...options }: JobUpdatesOptions): AsyncGenerator<Job, void, undefined> {
  const { job, error } = getJobSignal(options)
  let wake = () => {}
  const tell = () => wake()
  const stop = effect(() => void [job.value, error.value, tell()])
  signal?.addEventListener('abort', tell)
  try {
    let last: Job | undefined
    while (!signal?.aborted) {
      const news = new Promise<void>((resolve) => {
        wake = resolve
      })
      const newest = job.peek()
      if (newest && newest !== last) {
        last = newest
        yield newest
        if (isTerminalStatus(newest.status)) return
        continue
      }
      if (error.peek() === 'not-found') throw new Error('There is no such job, or none any more.')
      if (error.peek() === 'expired') throw new Error('The token to watch the job has expired.')
      await news
    }
  } finally {
    stop()
    signal?.removeEventListener('abort', tell)
  }
}
