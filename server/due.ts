import type { JobEvent } from '../shared/events.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import type { StoredJob } from './engine.ts'

/** How long a producer may stay silent after it was asked to stop, before the server ends the job: milliseconds. */
export const CANCEL_GRACE = 60_000

const silentSince = ({ header, marks }: StoredJob) =>
  Math.max(Date.parse(header.lastEventAt), Date.parse(marks.cancelRequestedAt ?? header.lastEventAt))

const timesOutAt = ({ header }: StoredJob) =>
  header.timeoutSeconds === undefined
    ? Number.POSITIVE_INFINITY
    : Date.parse(header.startedAt ?? header.createdAt) + header.timeoutSeconds * 1_000

const givesUpAt = (job: StoredJob) =>
  job.header.cancelRequested ? silentSince(job) + CANCEL_GRACE : Number.POSITIVE_INFINITY

/** When the server has to look at a job by itself: milliseconds since the epoch, `undefined` for never. */
export function dueAt(job: StoredJob): number | undefined {
  const { header } = job
  if (isTerminalStatus(header.status)) return header.expiresAt === undefined ? undefined : Date.parse(header.expiresAt)
  const at = Math.min(timesOutAt(job), givesUpAt(job))
  return Number.isFinite(at) ? at : undefined
}

/** What is to be done with a job that is due: remove it, or end it with an event. `undefined` when it is not due after all. */
export function whatIsDue(job: StoredJob, now: number): 'remove' | JobEvent | undefined {
  const at = dueAt(job)
  if (at === undefined || at > now) return undefined
  if (isTerminalStatus(job.header.status)) return 'remove'
  return givesUpAt(job) <= now
    ? { type: 'status', status: 'cancelled', message: 'Asked to stop, and not heard of since' }
    : { type: 'status', status: 'failed', message: `Not done within ${job.header.timeoutSeconds} seconds` }
}
