import { type Cursor, formatCursor } from '../../../shared/document/cursor.ts'
import type { AppliedEvent } from '../../../shared/document/events.ts'
import type { Item, Job, JobHeader, JobStatus, Patch, PatchHeader, Step } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { EndReason } from '../../../shared/wire/messages.ts'
import { encodeMessage, eventName } from '../../../shared/wire/sse.ts'
import type { View } from '../../jobs/engine.ts'

/** Form of a message. `one`: for a stream of one job, with ids. `many`: for a stream of several; each message names its job. */
export type Audience = 'one' | 'many'

/** Encodes applied events, all of one generation. */
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

/** Encodes a patch, or a snapshot if it starts at 0; followed by `end` if the job has ended. */
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

/** Converts a patch from 0 to a document. A page of a longer one keeps its rows in the order of their versions. */
export function snapshotOf(patch: Patch, view: View): object {
  const { job, steps = [], items = [], errors = [], logs = [], more } = patch
  if (view === 'header') return dropCleared(job)
  const document = { ...dropCleared(job), steps, items, errors, logs }
  if (more) return { ...document, more }
  sortByIndex(steps)
  sortByIndex(items)
  return document
}

/** Most large documents are in order already, and sorting them would still take milliseconds. */
function sortByIndex(rows: (Step | Item)[]): void {
  if (rows.some((row, place) => row.index !== place)) rows.sort((a, b) => a.index - b.index)
}

/** Omits cleared fields: a snapshot has nothing to clear. */
function dropCleared({ result, metadata, ...job }: Patch['job']): Omit<Job, 'steps' | 'items' | 'errors' | 'logs'> {
  const header: Omit<Job, 'steps' | 'items' | 'errors' | 'logs'> = job
  if (result !== null && result !== undefined) header.result = result
  if (metadata !== null && metadata !== undefined) header.metadata = metadata
  return header
}

/** Why a stream of a job in this status ends; `undefined` if it continues. */
export function endOf(status: JobStatus): EndReason | undefined {
  return isTerminalStatus(status) ? (status as EndReason) : undefined
}

/** Encodes `end`: no more messages of this job follow. */
export function endMessage(jobId: string, reason: EndReason, audience: Audience): string {
  return encodeMessage({ event: 'end', data: audience === 'one' ? { reason } : { jobId, reason } })
}

/** Encodes `ping`. @param now the server's time, in milliseconds since the Unix epoch */
export function pingMessage(now: number, version?: number): string {
  return encodeMessage({ event: 'ping', data: { at: new Date(now).toISOString(), version } })
}

/** Whether watchers get an event as a patch. Clients from before there were asks don't know these types, and would miss their versions. */
export const isInPatchesOnly = ({ type }: AppliedEvent): boolean => type === 'ask' || type === 'answer'

/** Whether events may change the large fields of a header, `result` and `metadata`. Unknown events may. */
export function touchesBulk(events: readonly AppliedEvent[] | undefined): boolean {
  return events?.some((event) => event.type === 'status' && ('result' in event || 'metadata' in event)) ?? true
}

/** Converts a header to a patch, with `result` and `metadata` only if they may have changed. */
export function headerPatch(header: JobHeader, withBulk: boolean): PatchHeader {
  const { result = null, metadata = null, ...patch } = header
  return withBulk ? { ...patch, result, metadata } : patch
}
