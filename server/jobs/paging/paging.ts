import type { Cursor } from '../../../shared/document/cursor.ts'
import type { ErrorRow, Item, JobHeader, LogRow, Patch, PatchHeader, Step } from '../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { countItems } from '../../../shared/document/selectors.ts'
import { utf8Length } from '../../../shared/document/text-size.ts'
import type { Page, StoredJob } from '../engine.ts'
import { generationAt } from '../generations.ts'

/** Approximate size of a page in a stream: bytes. */
export const PAGE_BYTES = 256 * 1024
/** Size of a page when several are needed anyway: bytes. Reading and encoding it blocks the event loop for a few milliseconds. */
const SMALL_PAGE_BYTES = 64 * 1024
/** Approximate JSON size of a row without its texts: bytes. */
const ROW_BYTES = 100

/** Most bytes of jobs on a page of a list: with the surrounding JSON a page stays below 1 MiB. */
export const LIST_BYTES = 1_000_000
/** Jobs that an engine reads at a time for a list. If they are large, it reads a few past the end of the page. */
export const LISTED_AT_ONCE = 16

/** Builds a page of a list: as many jobs as fit into `limit` and `maxBytes`, but at least one. */
export class ListPage {
  readonly page: Page<JobHeader> = { rows: [] }
  readonly #limit: number
  readonly #maxBytes: number
  #bytes = 0
  #last = ''

  constructor({ limit, maxBytes = LIST_BYTES }: { limit: number; maxBytes?: number | undefined }) {
    this.#limit = limit
    this.#maxBytes = maxBytes
  }

  /** Whether a job was refused for lack of room. */
  get isFull(): boolean {
    return this.page.nextCursor !== undefined
  }

  /**
   * Adds the next job of the list, or marks the page as full.
   *
   * @param cursor position after the job
   * @param bytes approximate size of its JSON
   */
  add(header: JobHeader, cursor: string, bytes: number): void {
    const { rows } = this.page
    const fits = rows.length < this.#limit && (rows.length === 0 || this.#bytes + bytes <= this.#maxBytes)
    if (!fits) this.page.nextCursor ??= this.#last
    if (this.isFull) return
    rows.push(header)
    this.#bytes += bytes
    this.#last = cursor
  }
}

/** A row of a patch, with the name of its list. */
export type ChangedRow =
  | { list: 'steps'; row: Step }
  | { list: 'items'; row: Item }
  | { list: 'errors'; row: ErrorRow }
  | { list: 'logs'; row: LogRow }

/**
 * The version at which a patch for this cursor starts: 0 if the cursor is of another epoch or ahead of the job. Ignores the generation:
 * `versionHeld` checks the cursors of clients.
 */
export function startOf(cursor: Cursor | undefined, job: StoredJob): number {
  return cursor && cursor.epoch === job.header.epoch && cursor.version <= job.header.version ? cursor.version : 0
}

/** The version that a client with this cursor has, if it is of this store's history; otherwise 0. */
export function versionHeld(cursor: Cursor | undefined, job: StoredJob): number {
  const version = startOf(cursor, job)
  return cursor?.generation === generationAt(job.marks, version) ? version : 0
}

/** Upper bound of the rows changed since a version: the number of rows, or of changes if that is lower. */
export function rowsSince({ header, marks }: StoredJob, from: number): number {
  const windows = Math.min(header.errorCount, ERROR_WINDOW) + Math.min(header.logCount, LOG_WINDOW)
  const rows = countItems(header) + marks.stepCount + windows
  return Math.min(rows, header.version - from)
}

/**
 * Builds a page of the changes since `from`. Reads only as many rows as fit, so an engine can pass a lazy iterable. The page ends at the
 * version of its last row, which is a valid cursor for the next.
 *
 * @param rows rows changed after `from`, in the order of their versions
 * @param maxBytes approximate JSON size; the page has at least one row. If all rows need several pages, pages are smaller, to take less time
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
  // Like a row, each goes only into the page that covers the version of its change.
  const changedAt = (version: number) => from < version && version <= patch.to
  if (changedAt(marks.resultVersion)) patch.job.result = result ?? null
  if (changedAt(marks.metadataVersion)) patch.job.metadata = metadata ?? null
  return patch
}

/** The header of a page before the last, with the version and generation of the page's cursor. */
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

/** Approximate JSON size of a row: a constant for keys and numbers, plus the length of its texts. */
function rowLength(row: ChangedRow['row']): number {
  let length = ROW_BYTES
  for (const value of Object.values(row)) if (typeof value === 'string') length += utf8Length(value)
  return length
}
