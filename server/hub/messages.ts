import { type Cursor, formatCursor } from '../../shared/document/cursor.ts'
import type { AppliedEvent } from '../../shared/document/events.ts'
import type { Item, Job, JobHeader, JobStatus, Patch, PatchHeader, Step } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import { encodeMessage, eventName } from '../../shared/wire/sse.ts'
import type { View } from '../jobs/engine.ts'

/** For whom a message is written: a stream of one job has ids, a stream of several says whose each message is. */
export type Audience = 'one' | 'many'

/** The messages of applied events, all of one generation. */
export function eventMessages(
  jobId: string,
  life: Pick<Cursor, 'epoch' | 'generation'>,
  events: readonly AppliedEvent[],
  audience: Audience,
): string {
  let text = ''
  for (const event of events) {
    const cursor = formatCursor({ ...life, version: event.version })
    text +=
      audience === 'one'
        ? encodeMessage({ event: eventName(event.type), id: cursor, data: event })
        : encodeMessage({ event: eventName(event.type), data: { jobId, cursor, ...event } })
  }
  return text
}

/** The message of a patch; of a snapshot, when it begins at 0. Followed by `end`, when it brings the job to its own. */
export function patchMessages(patch: Patch, view: View, audience: Audience): string {
  const { id: jobId, epoch, generation, status } = patch.job
  const cursor = formatCursor({ epoch, generation, version: patch.to })
  const event = patch.from === 0 ? 'snapshot' : 'patch'
  const data = patch.from === 0 ? snapshotOf(patch, view) : patch
  const text =
    audience === 'one'
      ? encodeMessage({ event, id: cursor, data })
      : encodeMessage({ event, data: { jobId, cursor, ...data } })
  const reason = patch.more ? undefined : endOf(status)
  return reason ? text + endMessage(jobId, reason, audience) : text
}

/** A patch from 0 as the document that it is. A page keeps its rows in the order of their versions. */
export function snapshotOf(patch: Patch, view: View): object {
  const { job, steps = [], items = [], errors = [], logs = [], more } = patch
  if (view === 'header') return dropCleared(job)
  const document = { ...dropCleared(job), steps, items, errors, logs }
  if (more) return { ...document, more }
  sortByIndex(steps)
  sortByIndex(items)
  return document
}

/** Large documents come in order, and to sort them would take some milliseconds all the same. */
function sortByIndex(rows: (Step | Item)[]): void {
  if (rows.some((row, place) => row.index !== place)) rows.sort((a, b) => a.index - b.index)
}

/** A snapshot has nothing to clear. */
function dropCleared({ result, metadata, ...job }: Patch['job']): Omit<Job, 'steps' | 'items' | 'errors' | 'logs'> {
  const header: Omit<Job, 'steps' | 'items' | 'errors' | 'logs'> = job
  if (result !== null && result !== undefined) header.result = result
  if (metadata !== null && metadata !== undefined) header.metadata = metadata
  return header
}

/** Why the stream of a job in this status ends, if it does. */
export function endOf(status: JobStatus): EndReason | undefined {
  return isTerminalStatus(status) ? (status as EndReason) : undefined
}

/** The message that a job's stream ends for good. */
export function endMessage(jobId: string, reason: EndReason, audience: Audience): string {
  return encodeMessage({ event: 'end', data: audience === 'one' ? { reason } : { jobId, reason } })
}

/** The message that the stream is alive, and what the server's clock says. */
export function pingMessage(now: number, version?: number): string {
  return encodeMessage({ event: 'ping', data: { at: new Date(now).toISOString(), version } })
}

/** Whether events may change what is large in a header: its `result` or `metadata`. Unknown events may. */
export function touchesBulk(events: readonly AppliedEvent[] | undefined): boolean {
  return events?.some((event) => event.type === 'status' && ('result' in event || 'metadata' in event)) ?? true
}

/** A header as a patch carries it: `result` and `metadata` only when they may have changed. */
export function headerPatch(header: JobHeader, withBulk: boolean): PatchHeader {
  const { result = null, metadata = null, ...patch } = header
  return withBulk ? { ...patch, result, metadata } : patch
}
