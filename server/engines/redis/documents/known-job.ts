import type { Item, JobHeader, Step } from '../../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../../shared/document/limits.ts'
import { type Loaded, namedRows } from '../../../jobs/apply-batch.ts'
import type { Batch, Commit, Marks, StoredJob } from '../../../jobs/engine.ts'
import { isForgotten } from '../../../jobs/idempotency.ts'
import type { ChangedRow } from '../../../jobs/paging/paging.ts'
import { rowField } from '../keys.ts'
import { HEAD_FIELDS } from '../scripts/script.ts'

/** Size from which on the rows of a job are forgotten: characters of JSON. */
const MAX_STATE_SIZE = 1_048_576

/** Approximate size of a head alone. */
const HEAD_SIZE = 4_096

/** The stored JSON of a head, without `result` and `metadata`. */
interface Head {
  header: Omit<JobHeader, 'result' | 'metadata'>
  marks: Marks
  /** Commits of this life, which order its changes. */
  commits: number
}

/** A job as it was at one commit. */
export interface KnownJob {
  /** Unique for the commit: as long as the stored stamp is the same, so is all of this. */
  stamp: string
  /** Place in the order of creation. */
  place: number
  commits: number
  job: StoredJob
  /** Rows by name that are known; `null` for those that are known not to be there. */
  rows: Map<string, Step | Item | null>
  /** Approximate size: characters of JSON. */
  size: number
}

/** What scripts reply of a job. */
export type LoadReply = (string | null)[]

/** What a read found: the job, and the entry of an idempotency key. */
export interface Found {
  state: KnownJob
  used: string | undefined
}

/** Parses the reply of `load`. @param names of the rows that were asked for. `undefined` when there is no job */
export function foundIn(reply: LoadReply, names: readonly string[] = []): Found | undefined {
  const state = stateIn(reply)
  if (!state) return undefined
  for (const [index, name] of names.entries()) {
    const json = reply[HEAD_FIELDS + 1 + index] ?? undefined
    state.rows.set(name, json === undefined ? null : (JSON.parse(json) as Step | Item))
    state.size += name.length + (json?.length ?? 0)
  }
  return { state, used: reply[HEAD_FIELDS] ?? undefined }
}

/** Parses the fields of a head. */
export function stateIn([stamp, json, result, metadata, place]: LoadReply): KnownJob | undefined {
  if (!stamp || !json) return undefined
  const { header, marks, commits } = JSON.parse(json) as Head
  const whole: JobHeader = { ...header }
  if (result) whole.result = JSON.parse(result)
  if (metadata) whole.metadata = JSON.parse(metadata)
  const size = json.length + (result?.length ?? 0) + (metadata?.length ?? 0)
  return { stamp, place: Number(place), commits, job: { header: whole, marks }, rows: new Map(), size }
}

/** The JSON of a head. */
export function encodeHead({ header, marks }: StoredJob, commits: number): string {
  return `{"header":${encodeHeader(header)}${encodeMarks(marks, commits)}`
}

/** The JSON of a header as it is in a head. */
export function encodeHeader(header: JobHeader): string {
  // `undefined` is in no JSON. Most headers have neither, and need no copy.
  return JSON.stringify(isSmall(header) ? header : { ...header, result: undefined, metadata: undefined })
}

/** The JSON of a head from the end of its header on. */
export function encodeMarks(marks: Marks, commits: number): string {
  return `,"marks":${JSON.stringify(marks)},"commits":${commits}}`
}

/** Whether all of a header is in its head. */
export const isSmall = ({ result, metadata }: JobHeader) => result === undefined && metadata === undefined

const NO_NAMES: readonly string[] = []

/** The names of the steps and items that a batch needs. */
export function namesIn({ events }: Pick<Batch, 'events'>): readonly string[] {
  const { steps, items } = namedRows(events)
  if (steps.size === 0 && items.size === 0) return NO_NAMES
  return [...[...steps].map(rowField.step), ...[...items].map(rowField.item)]
}

/** What `applyBatch` needs. Rows that are not known are taken to be new, which the script verifies. */
export function loadedOf({ state, used }: Found, batch: Batch, generation: string): Loaded {
  return {
    job: state.job,
    step: (id) => (state.rows.get(rowField.step(id)) as Step | null | undefined) ?? undefined,
    item: (id) => (state.rows.get(rowField.item(id)) as Item | null | undefined) ?? undefined,
    key: used === undefined ? undefined : keyIn(used, batch),
    generation,
  }
}

/** The stored form of a used idempotency key. @param at milliseconds since the Unix epoch */
export function encodeKey(digest: string, at: number): string {
  return `${at} ${digest}`
}

/** A used key from its stored form. */
export function decodeKey(used: string): { digest: string; at: number } {
  const space = used.indexOf(' ')
  return { digest: used.slice(space + 1), at: Number(used.slice(0, space)) }
}

function keyIn(used: string, batch: Batch): { digest: string } | undefined {
  const { digest, at } = decodeKey(used)
  return isForgotten(at, batch) ? undefined : { digest }
}

/** A row to write, under its name. */
export interface NamedRow {
  name: string
  row: ChangedRow['row']
  json: string
}

const named = (name: string, row: ChangedRow['row']): NamedRow => ({ name, row, json: JSON.stringify(row) })

/** The rows of a commit under their names. Errors and log lines take the places of those that leave their windows. */
export function rowsOf(commit: Commit, { header: before }: StoredJob): NamedRow[] {
  return [
    ...commit.steps.map((row) => named(rowField.step(row.id), row)),
    ...commit.items.map((row) => named(rowField.item(row.id), row)),
    ...inWindow(commit.errors, before.errorCount, ERROR_WINDOW, rowField.error),
    ...inWindow(commit.logs, before.logCount, LOG_WINDOW, rowField.log),
  ]
}

function inWindow(
  rows: readonly ChangedRow['row'][],
  count: number,
  size: number,
  nameOf: (place: number) => string,
): NamedRow[] {
  // More than a window at once: only the newest stay.
  const first = Math.max(0, rows.length - size)
  return rows.slice(first).map((row, index) => named(nameOf((count + first + index) % size), row))
}

const LISTS: Readonly<Record<string, ChangedRow['list']>> = { s: 'steps', i: 'items', e: 'errors', l: 'logs' }

/** A row from its name and JSON. */
export function parseRow(name: string, json: string): ChangedRow {
  return { list: LISTS[name.charAt(0)], row: JSON.parse(json) } as ChangedRow
}

/** The state after a commit. It takes over the known rows. */
export function stateAfter(before: KnownJob, commit: Commit, rows: readonly NamedRow[], stamp: string): KnownJob {
  const isLarge = before.size > MAX_STATE_SIZE
  const known = isLarge ? new Map<string, Step | Item | null>() : before.rows
  let size = isLarge ? HEAD_SIZE : before.size
  for (const { name, row, json } of rows) {
    if (!('id' in row)) continue
    known.set(name, row)
    size += json.length
  }
  const job = { header: commit.header, marks: commit.marks }
  return { stamp, place: before.place, commits: before.commits + 1, job, rows: known, size }
}
