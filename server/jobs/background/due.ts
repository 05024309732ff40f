import type { JobEvent } from '../../../shared/document/events.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { ClockStep, Due, DueList, DueTerms, RemoveOnly, StoredJob } from '../engine.ts'

/** How long a producer may stay silent after a cancel request, or after the server's start, before the server ends the job: milliseconds. */
export const CANCEL_GRACE = 60_000

const beganAt = ({ header }: StoredJob) => Date.parse(header.startedAt ?? header.createdAt)

const silentSince = ({ header, marks }: StoredJob) =>
  Math.max(Date.parse(header.lastEventAt), Date.parse(marks.cancelRequestedAt ?? header.lastEventAt))

const timesOutAt = (job: StoredJob) => beganAt(job) + (job.header.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1_000

const givesUpAt = (job: StoredJob) =>
  job.header.cancelRequested ? silentSince(job) + CANCEL_GRACE : Number.POSITIVE_INFINITY

/** The earliest time at which the server must end or remove a job by itself; `undefined` for never. */
export function dueOf(job: StoredJob): Due | undefined {
  const { status, expiresAt, endedAt } = job.header
  if (isTerminalStatus(status)) {
    if (expiresAt !== undefined) return { list: 'expire', at: Date.parse(expiresAt) }
    return endedAt === undefined ? undefined : { list: 'ended', at: Date.parse(endedAt) }
  }
  const at = Math.min(timesOutAt(job), givesUpAt(job))
  return Number.isFinite(at) ? { list: 'end', at } : undefined
}

/** The latest index time at which a job of a list can be due: milliseconds since the Unix epoch. */
export function dueBefore(list: DueList, { now, retentionSeconds }: DueTerms): number {
  return list === 'ended' ? now - retentionSeconds * 1_000 : now
}

/** `now` for a duration that began at `moment`, without what the clock was set forward since: that time has not passed. */
function nowSince(moment: number, { now, steps }: DueTerms): number {
  const skipped = steps.reduce((sum, step) => (isBefore(moment, step) ? sum + step.by : sum), 0)
  return now - Math.max(0, skipped)
}

/**
 * Whether `moment` is a time of the clock before a step. Times that a step forward skipped are from an earlier run with the right clock: this
 * run started with a slow one. Stored times are rounded to milliseconds.
 */
const isBefore = (moment: number, { at, by }: ClockStep) => moment < at && moment <= Math.ceil(at - by)

/**
 * The event that ends a due job; `undefined` if the job is not due.
 *
 * Silence counts from the server's start at the earliest, because a stopped server cannot hear the producer. The time-out is a deadline and
 * runs while the server is down; but a job that began before gets a minute from the server's start, for its producer to report what it did
 * meanwhile, and as long as the clock is not settled.
 */
export function dueEvent(job: StoredJob, terms: DueTerms): JobEvent | undefined {
  const { now, since, isUnsettled } = terms
  const { status, timeoutSeconds, cancelRequested } = job.header
  if (isTerminalStatus(status)) return undefined
  if (cancelRequested && Math.max(silentSince(job), since) + CANCEL_GRACE <= now)
    return { type: 'status', status: 'cancelled', message: 'Cancelled by the server: the producer did not answer' }
  const began = beganAt(job)
  const isGrace = began < since && (isUnsettled || since + CANCEL_GRACE > now)
  if (isGrace || timesOutAt(job) > nowSince(began, terms)) return undefined
  return { type: 'status', status: 'failed', message: `Not done within ${timeoutSeconds} seconds` }
}

/** Whether a job's retention is over. Jobs without `expiresAt` have the retention that is set now. */
export function isExpired(job: StoredJob, terms: DueTerms): boolean {
  const due = dueOf(job)
  if (!due || due.list === 'end') return false
  const endedAt = Date.parse(job.header.endedAt ?? job.header.updatedAt)
  if (terms.isUnsettled && endedAt < terms.since) return false
  return due.at <= dueBefore(due.list, { ...terms, now: nowSince(endedAt, terms) })
}

/** Whether the conditions of a removal hold. */
export function mayRemove(job: StoredJob, { epoch, expired }: RemoveOnly): boolean {
  return (epoch === undefined || epoch === job.header.epoch) && (expired === undefined || isExpired(job, expired))
}
