import type { Job } from '../../shared/document/job.ts'
import { getProgressPercent, isTerminalStatus } from '../../shared/document/selectors.ts'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import type { JobError, JobSignal } from './job-signal.ts'

/** What is known of a job at one moment: the values of a {@link JobSignal}. */
export interface JobProgress {
  /** The document; `undefined` until it is complete. Compare `job`, not `job.items`: the arrays are changed in place. */
  readonly job: Job | undefined
  /** 0 to 100; `undefined` while the total is unknown. */
  readonly percent: number | undefined
  /** Units per second; `undefined` until the estimate is reliable. */
  readonly rate: number | undefined
  /** Seconds, in coarse steps; `undefined` until the estimate is reliable. */
  readonly timeLeft: number | undefined
  readonly error: JobError | undefined
  readonly connection: ConnectionStatus
}

/** The values of a job's signals. Inside an effect or a computed signal it depends on all of them. */
export function readProgress({ job, percent, rate, timeLeft, error, connection }: JobSignal): JobProgress {
  return {
    job: job.value,
    percent: percent.value,
    rate: rate.value,
    timeLeft: timeLeft.value,
    error: error.value,
    connection: connection.value,
  }
}

/** What a page shows of a job before it is connected. @param job the document that a server has rendered */
export function progressBefore(job: Job | undefined): JobProgress {
  return {
    job,
    percent: job && getProgressPercent(job),
    rate: undefined,
    timeLeft: undefined,
    error: undefined,
    connection: job && isTerminalStatus(job.status) ? 'ended' : 'connecting',
  }
}
