import type { Batch, JobToCreate } from '../../../../server/jobs/engine.ts'
import type { AppliedEvent } from '../../../../shared/document/events.ts'
import type { ErrorRow, Item, Job, JobHeader, LogRow, Step } from '../../../../shared/document/job.ts'
import { paceAfter } from '../../../../shared/document/pace.ts'

/**
 * What documents come to, written from the words of the design alone: it shares no code with the fold that it judges, except for the choice
 * of the samples of the pace, which has tests of its own. Rows are shared between versions and never changed.
 */

/** How many of each a document keeps: the newest. */
const KEPT_ERRORS = 100
const KEPT_LOGS = 1_000
const ENDED = ['completed', 'failed', 'cancelled']

/** The document of a job that was just created. */
export function documentOfNew({ header }: JobToCreate): Job {
  return { ...header, steps: [], items: [], errors: [], logs: [] }
}

/** A batch as what it adds to a history. */
export function appliedEvents(
  { events, at, retentionSeconds }: Batch,
  { version, status, attempt = 1 }: Pick<JobHeader, 'version' | 'status' | 'attempt'>,
): AppliedEvent[] {
  const now = { status, attempt }
  return events.map((event, index) => {
    const applied: AppliedEvent = { ...event, version: version + 1 + index, at }
    if (applied.type !== 'status') return applied
    if (ENDED.includes(applied.status) && retentionSeconds !== undefined)
      applied.expiresAt = new Date(Date.parse(at) + retentionSeconds * 1_000).toISOString()
    // Back to its queue, to be tried again.
    if (applied.status === 'pending' && now.status !== 'pending' && applied.attempt === undefined)
      applied.attempt = now.attempt + 1
    now.status = applied.status
    now.attempt = applied.attempt ?? now.attempt
    return applied
  })
}

/** The document that a batch makes of another. */
export function documentAfter(before: Job, batch: Batch): Job {
  const { steps, items, errors, logs, ...header } = before
  const after: Job = {
    ...header,
    progress: { ...header.progress },
    steps: [...steps],
    items: [...items],
    errors: [...errors],
    logs: [...logs],
  }
  for (const event of appliedEvents(batch, before)) {
    const old = { ...after }
    // The pace begins with an event that says an amount, changed or not: to it these are other objects.
    if (event.type === 'progress') after.progress = { ...after.progress }
    apply(after, event)
    if (event.type === 'item') after.itemCounts = countsOf(after.items)
    const pace = ['progress', 'item', 'status'].includes(event.type) ? paceAfter(old, after) : after.pace
    delete after.pace
    if (pace) after.pace = pace
  }
  after.errors = after.errors.slice(-KEPT_ERRORS)
  after.logs = after.logs.slice(-KEPT_LOGS)
  return after
}

function countsOf(items: readonly Item[]): Job['itemCounts'] {
  const counts = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }
  for (const { status } of items) counts[status] += 1
  return counts
}

function apply(job: Job, event: AppliedEvent): void {
  const { type, version, at, expiresAt, ...said } = event
  job.version = version
  job.updatedAt = at
  if (type !== 'control') job.lastEventAt = at
  if (type === 'progress') overwrite(job.progress, said)
  else if (type === 'control') overwrite(job, said)
  else if (type === 'item') setRow<Item>(job.items, event.id, version, said)
  else if (type === 'step') stamp(setRow<Step>(job.steps, event.id, version, said), at)
  else if (type === 'error') {
    job.errorCount += 1
    job.errors.push({ ...said, version, at } as ErrorRow)
  } else if (type === 'log') {
    job.logCount += 1
    job.logs.push({ level: 'info', ...said, version, at } as LogRow)
  } else {
    overwrite(job, said)
    if (job.status === 'running' && job.startedAt === undefined) job.startedAt = at
    if (ENDED.includes(job.status)) job.endedAt = at
    if (expiresAt !== undefined) job.expiresAt = expiresAt
  }
}

/** A field that is `null` is cleared, one that is left out stays. */
function overwrite(target: object, fields: object): void {
  const record = target as Record<string, unknown>
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) delete record[name]
    else if (value !== undefined) record[name] = value
  }
}

/** Puts a copy of a row, changed, in its place. @returns the row before and the row now */
function setRow<T extends Item | Step>(rows: T[], id: string, version: number, fields: object): [T | undefined, T] {
  const found = rows.findIndex((row) => row.id === id)
  const index = found === -1 ? rows.length : found
  const before = rows[index]
  const row = { ...(before ?? { id, index, status: 'pending' }), version } as T
  overwrite(row, fields)
  rows[index] = row
  return [before, row]
}

/** A step that comes to another status begins or ends then. */
function stamp([before, step]: [Step | undefined, Step], at: string): void {
  if (before?.status === step.status) return
  if (!['pending', 'running'].includes(step.status)) step.endedAt = at
  else {
    delete step.startedAt
    delete step.endedAt
    if (step.status === 'running') step.startedAt = at
  }
}

/** A document without its rows. */
export function headerOf({ steps: _steps, items: _items, errors: _errors, logs: _logs, ...header }: Job): JobHeader {
  return header
}
