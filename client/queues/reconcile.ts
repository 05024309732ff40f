import type { EventFields, ProducerEvent } from '../../shared/document/events.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'

/** A job of a queue, in words that fit any queue. */
export interface QueuedJob {
  readonly state: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled'
  /** The try that runs, is next or was the last: 1 for the first. */
  readonly attempt: number
  /** Why a try failed. */
  failureOf(attempt: number): string
  /** What it waits for, or why it ended so. */
  readonly message?: string | undefined
  readonly progress?: EventFields<'progress'> | undefined
  readonly result?: unknown
  /** The metadata of a document that ends, or omitted to keep it. */
  readonly metadata?: Record<string, unknown> | undefined
}

/** What is known of the document of a job. */
export type KnownDocument = Pick<
  JobHeader,
  'status' | 'message' | 'progress' | 'startedAt' | 'attempt' | 'cancelRequested'
>

/** Events to send together. */
export interface ReconcilingBatch {
  /** Of events that add rows: the same for each bridge that has to send them. Others may be repeated. */
  readonly key?: string
  readonly events: ProducerEvent[]
}

/** Tries that are told one by one at most: of those before them only the number is. */
const TRIES_TOLD = 20

/**
 * The events after which a document says what its queue does. None for a document that says it already, or has ended.
 *
 * Depends on nothing but these two states, so that it does not matter which changes of the queue were seen.
 */
export function reconcile(job: QueuedJob, document: KnownDocument): ReconcilingBatch[] {
  if (isTerminalStatus(document.status)) return []
  const batches: ReconcilingBatch[] = []
  const told = document.attempt ?? 1
  // A queue whose counters were reset has fewer tries than its document.
  const attempt = Math.max(job.attempt, told)
  for (let next = Math.max(told, attempt - TRIES_TOLD) + 1; next <= attempt; next++) {
    const failed = next - 1
    const message = job.failureOf(failed)
    batches.push({
      key: `try-${next}`,
      events: [
        { type: 'error', code: `try-${failed}`, message },
        { type: 'status', status: 'pending', attempt: next, message: `To be tried again: ${message}` },
      ],
    })
  }
  // Each retry leaves the document pending, with what was reported before.
  const events = eventsAfter(
    job,
    attempt > told ? { ...document, status: 'pending', attempt, message: undefined } : document,
  )
  if (events.length > 0) batches.push({ events })
  return batches
}

function eventsAfter(
  job: QueuedJob,
  { status, message, progress, startedAt, attempt = 1 }: KnownDocument,
): ProducerEvent[] {
  if (job.state === 'pending') {
    if (status === 'pending' && (job.message === undefined || job.message === message)) return []
    // Without the attempt a running job would be tried again.
    return [{ type: 'status', status: 'pending', attempt, message: job.message ?? null }]
  }
  const isProgressSaid = job.progress === undefined || says(progress, job.progress)
  const events = eventsOf(isProgressSaid ? { ...job, progress: undefined } : job)
  // The first event says that it runs.
  return status === 'running' || (startedAt !== undefined && job.state !== 'running') ? events.slice(1) : events
}

/** All events of a job that runs or has ended. */
function eventsOf({ state, message, progress, result, metadata }: Omit<QueuedJob, 'failureOf'>): ProducerEvent[] {
  const events: ProducerEvent[] = [{ type: 'status', status: 'running', message: null }]
  if (progress) events.push({ type: 'progress', ...progress })
  if (state !== 'running') {
    const fields = { ...(result === undefined ? {} : { result }), ...(metadata && { metadata }) }
    events.push({ type: 'status', status: state, message: message ?? null, ...fields })
  }
  return events
}

/** Whether a document shows this progress. */
function says(shown: KnownDocument['progress'], fields: EventFields<'progress'>): boolean {
  return Object.entries(fields).every(
    ([name, value]) => value === undefined || (shown[name as keyof typeof shown] ?? null) === value,
  )
}

/** The document after events that were applied. */
export function afterEvents(document: KnownDocument, events: readonly ProducerEvent[]): KnownDocument {
  const known = { ...document }
  for (const event of events) {
    if (event.type === 'progress') {
      const { type: _, ...fields } = event
      const entries = Object.entries({ ...known.progress, ...withoutUndefined(fields) })
      known.progress = Object.fromEntries(entries.filter(([, value]) => value !== null)) as typeof known.progress
    } else if (event.type === 'status') {
      known.status = event.status
      if (event.attempt !== undefined) known.attempt = event.attempt
      if (event.status === 'running') known.startedAt ??= ''
      if (event.message !== undefined) {
        if (event.message === null) delete known.message
        else known.message = event.message
      }
    }
  }
  return known
}

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
