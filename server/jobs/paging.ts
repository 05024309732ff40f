import type { Cursor } from '../../shared/document/cursor.ts'
import type { ErrorRow, Item, JobHeader, LogRow, Patch, PatchHeader, Step } from '../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../shared/document/limits.ts'
import { countItems } from '../../shared/document/selectors.ts'
import { utf8Length } from '../../shared/document/text-size.ts'
import type { Page, StoredJob } from './engine.ts'
import { generationAt } from './generations.ts'

/** Bytes of a message of a stream, about, before the rest goes into the next page. */
export const PAGE_BYTES = 256 * 1024
/** Bytes of a page of what certainly needs several: to read and encode one holds the event loop for a few milliseconds. */
const SMALL_PAGE_BYTES = 64 * 1024
/** What a row is in JSON besides its texts, about: bytes. */
const ROW_BYTES = 100

/** Bytes of the jobs on a page of a list, before the rest goes into the next: with what is around them the page stays below 1 MiB. */
export const LIST_BYTES = 1_000_000
/** Jobs that an engine reads at once for a list: a few beyond the page's end, where they are large. */
export const LISTED_AT_ONCE = 16

/** A page of a list as it is filled, in the list's order: with as many jobs as were asked for, or as fit, but one at least. */
export class ListPage {
  readonly page: Page<JobHeader> = { rows: [] }
  readonly #limit: number
  #bytes = 0
  #last = ''

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Nothing more belongs on it. */
  get isFull(): boolean {
    return this.page.nextCursor !== undefined
  }

  /**
   * Takes the next job of the list, if it belongs on this page; else the page is full.
   *
   * @param cursor the place after it
   * @param bytes of its JSON, about
   */
  add(header: JobHeader, cursor: string, bytes: number): void {
    const { rows } = this.page
    const fits = rows.length < this.#limit && (rows.length === 0 || this.#bytes + bytes <= LIST_BYTES)
    if (!fits) this.page.nextCursor ??= this.#last
    if (this.isFull) return
    rows.push(header)
    this.#bytes += bytes
    this.#last = cursor
  }
}

/** The rows of a document that a patch may carry, each under the name of its list. */
export type ChangedRow =
  | { list: 'steps'; row: Step }
  | { list: 'items'; row: Item }
  | { list: 'errors'; row: ErrorRow }
  | { list: 'logs'; row: LogRow }

/**
 * The version that a patch has to begin at for a watcher with this cursor: 0 when the cursor is of no use. Its generation is not looked at: what
 * a client sends is judged by `versionHeld`.
 */
export function startOf(cursor: Cursor | undefined, job: StoredJob): number {
  return cursor && cursor.epoch === job.header.epoch && cursor.version <= job.header.version ? cursor.version : 0
}

/** The version that a client with this cursor has of this very history: 0 when it has none of it. */
export function versionHeld(cursor: Cursor | undefined, job: StoredJob): number {
  const version = startOf(cursor, job)
  return cursor?.generation === generationAt(job.marks, version) ? version : 0
}

/** How many rows may have changed since a version: no more than there are, and than there were changes. */
export function rowsSince({ header, marks }: StoredJob, from: number): number {
  const windows = Math.min(header.errorCount, ERROR_WINDOW) + Math.min(header.logCount, LOG_WINDOW)
  const rows = countItems(header) + marks.stepCount + windows
  return Math.min(rows, header.version - from)
}

/**
 * One page of what changed since `from`. Takes only as many rows as fit, so an engine can hand over a lazy reader; the page ends
 * at the version of its last row, which is a valid cursor for the next.
 *
 * @param rows rows changed after `from`, in the order of their versions
 * @param maxBytes of JSON, about; one row is always taken. Of what is far more the page has less, so that it takes no longer than others
 */
export function buildPage(job: StoredJob, from: number, rows: Iterable<ChangedRow>, maxBytes: number): Patch {
  const { header, marks } = job
  const { result, metadata, ...kept } = header
  const patch: Patch = { from, to: header.version, job: kept }
  const isLarge = rowsSince(job, from) * ROW_BYTES > maxBytes
  const pageBytes = isLarge ? Math.min(maxBytes, SMALL_PAGE_BYTES) : maxBytes
  let bytes = 0
  let last = from
  for (const changed of rows) {
    if (bytes >= pageBytes) {
      patch.to = last
      patch.more = true
      patch.job = atPage(job, kept, last)
      break
    }
    push(patch, changed)
    bytes += rowLength(changed.row)
    last = changed.row.version
  }
  // Like the rows, each goes into the page that covers the version of its change: into one, not into all.
  const changedAt = (version: number) => from < version && version <= patch.to
  if (changedAt(marks.resultVersion)) patch.job.result = result ?? null
  if (changedAt(marks.metadataVersion)) patch.job.metadata = metadata ?? null
  return patch
}

/** The header as a page before the last has it: with the version and the generation that make its cursor. */
function atPage({ marks }: StoredJob, header: PatchHeader, version: number): PatchHeader {
  if (header.generation === undefined) return { ...header, version }
  const { generation: _newest, ...rest } = header
  const generation = generationAt(marks, version)
  return generation ? { ...rest, version, generation } : { ...rest, version }
}

function push(patch: Patch, { list, row }: ChangedRow): void {
  switch (list) {
    case 'steps':
      patch.steps ??= []
      patch.steps.push(row)
      break
    case 'items':
      patch.items ??= []
      patch.items.push(row)
      break
    case 'errors':
      patch.errors ??= []
      patch.errors.push(row)
      break
    case 'logs':
      patch.logs ??= []
      patch.logs.push(row)
      break
  }
}

/** About how long a row is in JSON: keys and numbers by a constant, text by its length. */
function rowLength(row: ChangedRow['row']): number {
  let length = ROW_BYTES
  for (const value of Object.values(row)) if (typeof value === 'string') length += utf8Length(value)
  return length
}
