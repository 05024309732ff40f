import type { Ask } from '../../../shared/document/ask-schema.ts'
import { isWaiting, openAsks } from '../../../shared/document/asks.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { ClockStep, Due, DueList, DueTerms, RemoveOnly, StoredJob } from '../engine.ts'
import { nextDeliveryAt } from './deliveries.ts'

/** How long a producer may stay silent after a cancel request, or after the server's start, before the server ends the job: milliseconds. */
export const CANCEL_GRACE = 60_000
/** Heartbeats that a producer may miss before its job fails: it is stalled from the first on. */
export const MISSED_HEARTBEATS = 5
/** The unit of due times for silence: milliseconds. So a busy job changes its place in the index once a minute, not with each event. */
const MINUTE = 60_000
/** Code of the error in a job that failed because its producer went silent. */
const SILENT_CODE = 'producer-silent'

const beganAt = ({ header }: StoredJob) => Date.parse(header.startedAt ?? header.createdAt)

const silentSince = ({ header, marks }: StoredJob) =>
  Math.max(Date.parse(header.lastEventAt), Date.parse(marks.cancelRequestedAt ?? header.lastEventAt))

const timesOutAt = (job: StoredJob) => beganAt(job) + (job.header.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1_000

/** @param since when the server could be reached again; silence counts from then at the earliest */
const givesUpAt = (job: StoredJob, since: number) =>
  job.header.cancelRequested ? Math.max(silentSince(job), since) + CANCEL_GRACE : Number.POSITIVE_INFINITY

/** When the time of an open ask is over. */
const expiresAt = ({ expiresAt }: Ask) => (expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt))

const askExpiresAt = ({ header }: StoredJob) => Math.min(...(header.openAsks ? openAsks(header).map(expiresAt) : []))

/** How long a producer may miss its heartbeats: milliseconds. At least a minute longer than until the job is stalled. */
const patienceMs = (heartbeatSeconds: number) =>
  Math.max(MISSED_HEARTBEATS * heartbeatSeconds * 1_000, heartbeatSeconds * 1_000 + MINUTE)

function missesHeartbeatsAt({ header }: StoredJob, since: number): number {
  const { status, heartbeatSeconds, lastEventAt } = header
  if (status !== 'running' || heartbeatSeconds === undefined || isWaiting(header)) return Number.POSITIVE_INFINITY
  const at = Math.max(Date.parse(lastEventAt), since) + patienceMs(heartbeatSeconds)
  return Math.ceil(at / MINUTE) * MINUTE
}

/** The earliest time at which the server must deliver a webhook of a job, or end or remove it; `undefined` for never. */
export function dueOf(job: StoredJob): Due | undefined {
  const deliverAt = nextDeliveryAt(job.marks)
  const due = dueByItself(job)
  if (deliverAt === undefined) return due
  // An ended job is not removed before its webhooks are delivered, or given up.
  return { list: 'deliver', at: due?.list === 'end' ? Math.min(due.at, deliverAt) : deliverAt }
}

/** The same without webhooks. */
export function dueByItself(job: StoredJob): Due | undefined {
  const { status, expiresAt, endedAt } = job.header
  if (isTerminalStatus(status)) {
    if (expiresAt !== undefined) return { list: 'expire', at: Date.parse(expiresAt) }
    return endedAt === undefined ? undefined : { list: 'ended', at: Date.parse(endedAt) }
  }
  const always = Number.NEGATIVE_INFINITY
  const at = Math.min(timesOutAt(job), givesUpAt(job, always), missesHeartbeatsAt(job, always), askExpiresAt(job))
  return Number.isFinite(at) ? { list: 'end', at } : undefined
}

/** When a job that has not ended is ended by a server that could be reached only since then: milliseconds since the Unix epoch. */
export function endsAt(job: StoredJob, since: number): number {
  const timeout = beganAt(job) < since ? Math.max(timesOutAt(job), since + CANCEL_GRACE) : timesOutAt(job)
  return Math.min(timeout, givesUpAt(job, since), missesHeartbeatsAt(job, since), askExpiresAt(job))
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
 * The events that end a due job; none if the job is not due.
 *
 * Silence counts from the server's start at the earliest, or from when its store last failed: a stopped server cannot hear the producer. The
 * time-out is a deadline and runs while the server is down; but a job that began before gets a minute from the server's start, for its
 * producer to report what it did meanwhile, and as long as the clock is not settled.
 */
export function dueEvents(job: StoredJob, terms: DueTerms): JobEvent[] {
  const { now, since, isUnsettled, heardSince = since } = terms
  const { status, timeoutSeconds, cancelRequested, heartbeatSeconds } = job.header
  if (isTerminalStatus(status)) return []
  if (cancelRequested && givesUpAt(job, heardSince) <= now)
    return [{ type: 'status', status: 'cancelled', message: 'Cancelled by the server: the producer did not answer' }]
  const began = beganAt(job)
  const isGrace = began < since && (isUnsettled || since + CANCEL_GRACE > now)
  if (!isGrace && timesOutAt(job) <= nowSince(began, terms))
    return [{ type: 'status', status: 'failed', message: `Not done within ${timeoutSeconds} seconds` }]
  const expired = openAsks(job.header).filter((ask) => expiresAt(ask) <= now)
  if (expired.length > 0) return expired.map(({ id }) => ({ type: 'answer', ask: id }))
  if (heartbeatSeconds === undefined || missesHeartbeatsAt(job, heardSince) > now) return []
  const minutes = Math.round(patienceMs(heartbeatSeconds) / MINUTE)
  const silence = `The producer has been silent for ${minutes === 1 ? 'a minute' : `${minutes} minutes`}`
  const remedy = 'Its process was killed, or has lost its network: look at its logs, and start the job again.'
  const promise = `Its heartbeatSeconds are ${heartbeatSeconds}: it must report at least that often.`
  return [
    { type: 'error', code: SILENT_CODE, message: `${silence}. ${promise} ${remedy}` },
    { type: 'status', status: 'failed', message: `Failed by the server: the producer went silent` },
  ]
}

/** Whether a job's retention is over. Jobs without `expiresAt` have the retention that is set now. */
export function isExpired(job: StoredJob, terms: DueTerms): boolean {
  const due = dueOf(job)
  if (!due || due.list === 'end' || due.list === 'deliver') return false
  const endedAt = Date.parse(job.header.endedAt ?? job.header.updatedAt)
  if (terms.isUnsettled && endedAt < terms.since) return false
  return due.at <= dueBefore(due.list, { ...terms, now: nowSince(endedAt, terms) })
}

/** Whether the conditions of a removal hold. */
export function mayRemove(job: StoredJob, { epoch, expired }: RemoveOnly): boolean {
  return (epoch === undefined || epoch === job.header.epoch) && (expired === undefined || isExpired(job, expired))
}
