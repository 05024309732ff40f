import type { NewJob } from '../producer/job-reporter.ts'
import type { Heard } from './changes.ts'
import type { QueuedJob } from './reconcile.ts'

/** A job, as its queue has it. */
export interface SourceJob extends QueuedJob {
  /** When it was added and when it ended: milliseconds of the queue's clock. Without the first the queue has removed it. */
  readonly added?: number | undefined
  readonly ended?: number | undefined
  /** What its document begins with; omitted for a removed job of which too little is known. */
  readonly toCreate?: Omit<NewJob, 'id'> | undefined
}

/** A queue, for its bridge. Methods reject while the store of the queue is away. */
export interface QueueSource {
  readonly name: string
  /**
   * Reads a job.
   *
   * @param heard what was heard of it, which is all there is of a job that was removed
   * @returns `undefined` for a job that was removed, while its end may still be heard
   */
  read(id: string, heard: Heard): Promise<SourceJob | undefined>
  /** Removes a job that does not run. @returns whether it did */
  remove(id: string): Promise<boolean>
  /** Asks the worker that runs a job to end it. */
  cancel(id: string): Promise<void>
  /** The jobs that have not ended, and those that ended while nobody listened. */
  unseen(): AsyncIterable<string>
  /** Called every few seconds, and when all changes are done. */
  proceed(): Promise<void>
  close(): Promise<void>
}

/** What a job has that its queue no longer has, without a word of its end. */
export const GONE: SourceJob = {
  state: 'failed',
  attempt: 1,
  failureOf: () => 'The queue no longer has this job',
  message: 'The queue no longer has this job: how it ended is not known',
}
