import type { ErrorRow, Item, JobHeader, LogRow, Step } from '../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { countItems } from '../../../shared/document/selectors.ts'
import type { DueJob, DueQuery, ListQuery, Page, StoredJob } from '../../jobs/engine.ts'
import { KEYS_KEPT } from '../../jobs/idempotency.ts'
import { blocksOf } from '../../jobs/kept.ts'
import { type ChangedRow, LISTED_AT_ONCE, ListPage } from '../../jobs/paging/paging.ts'
import { isTenantList } from '../../jobs/tenant-documents.ts'
import type { JobKey } from '../../jobs/transfer.ts'
import { type Database, encodeText, type SqlValue, type Statement } from './database.ts'
import {
  bytesOf,
  changesSeldom,
  decodeEntry,
  type EntryRow,
  type Seldom,
  type StoredEntry,
  type StoredHead,
  seldomColumns,
  withoutBulk,
} from './entry.ts'
import { SqliteKept } from './kept.ts'

export interface Key {
  digest: string
  /** When it was used: milliseconds since the Unix epoch. */
  at: number
  /** Its place among the keys of the job, from 1. */
  n: number
}

/** A job to be written. */
export interface Draft {
  /** The stored job that it updates; `undefined` for a new job. */
  readonly stored: StoredEntry | undefined
  /** Position of a new job, from {@link SqliteStore.seqFor}. Omitted: after all others. */
  seq?: number
  job: StoredJob
  keyCount: number
  /** Rows and keys that are new or changed. */
  readonly steps: Map<string, Step>
  readonly items: Map<string, Item>
  readonly errors: ErrorRow[]
  readonly logs: LogRow[]
  readonly keys: Map<string, Key>
  /** Keys used at this moment or earlier are forgotten: milliseconds since the Unix epoch. */
  keyHorizon?: number | undefined
}

const UPDATE_HEAD = 'UPDATE heads SET body = ?2 WHERE job = ?1'
const INSERT_HEAD = 'INSERT INTO heads VALUES (?1, ?2)'
const DELETE_HEAD = 'DELETE FROM heads WHERE job = ?'

/** Statements of which every change to a job has one. Their values are the job's number and, unless they delete it, its head. */
export const headWrites: ReadonlySet<string> = new Set([UPDATE_HEAD, INSERT_HEAD, DELETE_HEAD])

/** Runs or queues a statement that changes data. */
export type Write = (sql: string, ...values: SqlValue[]) => void

/** Jobs in the first read of a list: large ones may fill its page. */
const LISTED_FIRST = 4
/** Rows per read. */
const ROWS_READ = 250
/** The value of `auto_vacuum` (sqlite.org/pragma.html#pragma_auto_vacuum). */
const INCREMENTAL = 2
/** The file is shrunk when it has this many free pages and they are a quarter of it. */
const FREE_PAGES = 1_024

/** The lists of a document; the index is the number stored in `rows.list`. */
const LISTS = ['steps', 'items', 'errors', 'logs'] as const
const STEPS = 0
const ITEMS = 1
const ERRORS = 2
const LOGS = 3

/** All SQL on documents. The caller opens and commits transactions. */
export class SqliteStore {
  readonly #db: Database
  readonly #statements = new Map<string, Statement>()
  readonly #write: Write
  readonly #hasTrash: boolean
  /** Counts per creator, if this database has them. */
  readonly kept: SqliteKept | undefined
  /** The highest `seq` in use. */
  #lastSeq: number | undefined

  /**
   * @param write runs a changing statement at once, or queues it in order
   * @param tables optional tables of this database: `trash` for rows to be deleted later, `kept` for the counts of creators
   */
  constructor(
    db: Database,
    write: Write = (sql, ...values) => void this.#sql(sql).run(...values),
    tables: { trash?: boolean; kept?: boolean } = {},
  ) {
    this.#db = db
    this.#write = write
    this.#hasTrash = tables.trash === true
    this.kept = tables.kept ? new SqliteKept((sql) => this.#sql(sql), write) : undefined
  }

  find(id: string): StoredEntry | undefined {
    const row = this.#sql(`${selectEntries('jobs')} WHERE id = ?`).get(id)
    return row ? decodeEntry(row as EntryRow) : undefined
  }

  step(job: number, id: string): Step | undefined {
    return this.#row(job, STEPS, id)
  }

  item(job: number, id: string): Item | undefined {
    return this.#row(job, ITEMS, id)
  }

  key(job: number, key: string): Key | undefined {
    return this.#sql('SELECT digest, at, n FROM keys WHERE job = ? AND key = ?').get(job, key) as Key | undefined
  }

  /** The keys of a job that it has not forgotten, in the order of their use. */
  keysOf({ seq, keyCount }: StoredEntry): JobKey[] {
    const sql = 'SELECT key, digest, at FROM keys WHERE job = ? AND n > ? ORDER BY n'
    return this.#sql(sql).all(seq, keyCount - KEYS_KEPT) as unknown as JobKey[]
  }

  /** Ids of jobs after a `seq`, in that order. */
  idsAfter(seq: number, limit: number): { seq: number; id: string }[] {
    const found = this.#sql('SELECT seq, id FROM jobs WHERE seq > ? ORDER BY seq LIMIT ?').all(seq, limit)
    return found as { seq: number; id: string }[]
  }

  countJobs(): number {
    return (this.#sql('SELECT count(*) AS jobs FROM jobs').get() as { jobs: number }).jobs
  }

  /** Rows changed after `version`, by version. Read lazily, {@link ROWS_READ} at a time. */
  *changedSince({ seq, job }: Pick<StoredEntry, 'seq' | 'job'>, version: number): Iterable<ChangedRow> {
    const lists = filledLists(job)
    if (lists.length === 0) return
    const select = this.#sql(selectChanged(lists))
    // Not `iterate`: on Bun (1.4.5) it reads all rows before it returns the first.
    for (let after = version; ; ) {
      const rows = select.all(after, seq, ROWS_READ) as { list: number; version: number; body: string }[]
      for (const { list, body } of rows) yield { list: LISTS[list], row: JSON.parse(body) } as ChangedRow
      const last = rows.at(-1)
      if (!last || rows.length < ROWS_READ) return
      after = last.version
    }
  }

  list({ owner, live, kind, status, parentId, limit, maxBytes, cursor }: ListQuery): Page<JobHeader> {
    const where = ['seq < ?']
    const values: SqlValue[] = []
    // The planner has no statistics, so name the index: that of the last, narrowest filter. Without a filter, scan by seq.
    let index: string | undefined
    const whose = owner === undefined ? 'all' : isTenantList(owner) ? 'tenant' : 'owner'
    if (owner !== undefined) {
      where.push(`${whose} = ?`)
      values.push(whose === 'tenant' ? owner : encodeText(owner))
      index = `jobs_by_${whose}`
    }
    if (live !== undefined) {
      where.push(`live = ${Number(live)}`)
      if (live) index = whose === 'all' ? 'jobs_all_live' : `jobs_live_by_${whose}`
    }
    const filters = { kind: kind === undefined ? kind : encodeText(kind), status, parent_id: parentId }
    for (const [column, value] of Object.entries(filters)) {
      if (value === undefined) continue
      where.push(`${column} = ?`)
      values.push(value)
      index = column === 'parent_id' ? 'jobs_by_parent_id' : `jobs_${whose === 'owner' ? '' : `${whose}_`}by_${column}`
    }
    const sql = `${selectEntries(index === undefined ? 'jobs' : `jobs INDEXED BY ${index}`)} WHERE ${where.join(' AND ')} ORDER BY seq DESC LIMIT ?`
    const select = this.#sql(sql)
    const page = new ListPage({ limit, maxBytes })
    let before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor)
    // A few per read, because each may have a large result.
    let count = LISTED_FIRST
    for (let isLast = false; !page.isFull && !isLast; count = Math.min(2 * count, LISTED_AT_ONCE)) {
      const rows = select.all(before, ...values, count) as EntryRow[]
      isLast = rows.length < count
      for (const row of rows) {
        if (page.isFull) break
        page.add(decodeEntry(row).job.header, `${row.seq}`, bytesOf(row))
        before = row.seq
      }
    }
    return page.page
  }

  due({ list, before, after, limit }: DueQuery): DueJob[] {
    const sql = `SELECT id, due_at AS at, created_by AS createdBy FROM jobs INDEXED BY jobs_due
      WHERE due_list = ? AND due_at <= ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?`
    const { at, id } = after ?? { at: -Number.MAX_VALUE, id: '' }
    const rows = this.#sql(sql).all(list, before, at, id, limit) as unknown as DueJob[]
    return rows.map((row) => ({ ...row, createdBy: JSON.parse(row.createdBy) }))
  }

  /**
   * Removes a job. With a trash table, its rows and keys are deleted later: see {@link emptyTrash}.
   *
   * @param atOnce deletes them now, because another job gets its `seq`
   */
  remove({ seq: job, job: removed }: StoredEntry, atOnce = false): void {
    this.kept?.add(removed.header.createdBy, -1, -blocksOf(removed))
    this.#write('DELETE FROM jobs WHERE seq = ?', job)
    this.#write(DELETE_HEAD, job)
    if (this.#hasTrash && !atOnce) this.#write('INSERT INTO trash VALUES (?)', job)
    else for (const table of ['rows', 'keys']) this.#write(`DELETE FROM ${table} WHERE job = ?`, job)
  }

  /** Deletes up to `limit` rows of a removed job. @returns whether there was something to delete */
  emptyTrash(limit: number): boolean {
    const found = this.#sql('SELECT job FROM trash LIMIT 1').get() as { job: number } | undefined
    if (!found) return false
    const { job } = found
    const table = ['rows', 'keys'].find((name) => this.#sql(`SELECT 1 FROM ${name} WHERE job = ? LIMIT 1`).get(job))
    if (table === undefined) this.#write('DELETE FROM trash WHERE job = ?', job)
    else
      this.#write(`DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE job = ? LIMIT ?)`, job, limit)
    return true
  }

  /** Returns some free pages to the disk, if there are many. @returns whether it did */
  shrink(): boolean {
    const count = (name: string) => Number(Object.values(this.#sql(`PRAGMA ${name}`).get() ?? {})[0])
    const free = count('freelist_count')
    // A file created by an older format can't shrink; it reuses its free pages.
    if (count('auto_vacuum') !== INCREMENTAL || free < FREE_PAGES || free < count('page_count') / 4) return false
    this.#write(`PRAGMA incremental_vacuum(${FREE_PAGES / 4})`)
    return true
  }

  save(draft: Draft): StoredEntry {
    const { stored, job, keyCount } = draft
    const header = withoutBulk(job.header)
    const body = JSON.stringify({ header, marks: job.marks, keyCount } satisfies StoredHead)
    let seq = stored?.seq ?? 0
    let payloadSize = stored?.payloadSize ?? 0
    if (!stored || changesSeldom(stored.job, job)) {
      const seldom = seldomColumns(job)
      payloadSize = (seldom.result?.length ?? 0) + (seldom.metadata?.length ?? 0)
      if (stored) this.#updateJob(seq, seldom)
      else seq = this.#insertJob(job.header, seldom, draft.seq ?? this.#nextSeq())
    }
    this.#write(stored ? UPDATE_HEAD : INSERT_HEAD, seq, body)
    this.#saveNamed(seq, STEPS, draft.steps, stored?.job.marks.stepCount ?? 0)
    this.#saveNamed(seq, ITEMS, draft.items, stored ? countItems(stored.job.header) : 0)
    this.#saveWindow(seq, ERRORS, draft.errors, stored?.job.header.errorCount ?? 0, ERROR_WINDOW)
    this.#saveWindow(seq, LOGS, draft.logs, stored?.job.header.logCount ?? 0, LOG_WINDOW)
    this.#saveKeys(seq, draft)
    this.kept?.add(job.header.createdBy, stored ? 0 : 1, blocksOf(job) - (stored ? blocksOf(stored.job) : 0))
    return { seq, job, keyCount, headSize: body.length, payloadSize }
  }

  #insertJob({ id, owner, createdBy, kind, parentId }: JobHeader, seldom: Seldom, seq: number): number {
    const sql = `INSERT INTO jobs (seq, id, owner, created_by, kind, parent_id, status, live, due_list, due_at, result, metadata)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
    const { status, live, dueList, dueAt, result, metadata } = seldom
    const who = [encodeText(owner), encodeText(createdBy)]
    this.#write(
      sql,
      ...[seq, id, ...who, encodeText(kind), parentId ?? null],
      ...[status, live, dueList, dueAt, result, metadata],
    )
    return seq
  }

  /**
   * The `seq` of a job of another store: the wanted one, unless a job or a trash entry uses it.
   *
   * @param chosen those that this has returned and that are not yet written. The result is added
   */
  seqFor(wanted: number, chosen: Set<number>): number {
    const last = this.#last()
    const inUse = 'SELECT 1 FROM jobs WHERE seq = ?1 UNION ALL SELECT 1 FROM trash WHERE job = ?1'
    const isFree = wanted > last || (!chosen.has(wanted) && this.#sql(inUse).get(wanted) === undefined)
    const seq = isFree ? wanted : last + 1
    this.#lastSeq = Math.max(last, seq)
    chosen.add(seq)
    return seq
  }

  /** A `seq` that no job and no trash entry uses. */
  #nextSeq(): number {
    this.#lastSeq = this.#last() + 1
    return this.#lastSeq
  }

  #last(): number {
    const inTrash = this.#hasTrash ? 'ifnull((SELECT max(job) FROM trash), 0)' : '0'
    const last = `SELECT max(ifnull((SELECT max(seq) FROM jobs), 0), ${inTrash}) AS last`
    return this.#lastSeq ?? (this.#sql(last).get() as { last: number }).last
  }

  #updateJob(seq: number, { status, live, dueList, dueAt, result, metadata }: Seldom): void {
    const sql = 'UPDATE jobs SET status = ?, live = ?, due_list = ?, due_at = ?, result = ?, metadata = ? WHERE seq = ?'
    this.#write(sql, status, live, dueList, dueAt, result, metadata, seq)
  }

  /** New rows get the next free index, so a row with an index below `count` exists already. */
  #saveNamed(job: number, list: number, rows: Map<string, Step | Item>, count: number): void {
    const insert = 'INSERT INTO rows (version, body, job, list, name) VALUES (?, ?, ?, ?, ?)'
    const update = 'UPDATE rows SET version = ?, body = ? WHERE job = ? AND list = ? AND name = ?'
    for (const row of rows.values())
      this.#write(row.index < count ? update : insert, row.version, JSON.stringify(row), job, list, encodeText(row.id))
  }

  #saveWindow(job: number, list: number, added: (ErrorRow | LogRow)[], count: number, window: number): void {
    if (added.length === 0) return
    const kept = added.slice(-window)
    const surplus = Math.min(count, window) + kept.length - window
    if (surplus > 0) this.#write(DELETE_OLDEST, job, list, surplus)
    for (const row of kept)
      this.#write(
        'INSERT INTO rows (version, body, job, list) VALUES (?, ?, ?, ?)',
        row.version,
        JSON.stringify(row),
        job,
        list,
      )
  }

  #saveKeys(job: number, { stored, keys, keyCount, keyHorizon }: Draft): void {
    if (keys.size === 0) return
    for (const [key, { n, at, digest }] of keys) {
      this.#write(
        'INSERT OR REPLACE INTO keys (job, key, n, at, digest) VALUES (?, ?, ?, ?, ?)',
        job,
        key,
        n,
        at,
        digest,
      )
    }
    const generation = (count: number) => Math.floor(count / KEYS_KEPT)
    if (generation(keyCount) > generation(stored?.keyCount ?? 0))
      this.#write('DELETE FROM keys WHERE job = ? AND n <= ?', job, keyCount - KEYS_KEPT)
    if (keyHorizon === undefined) return
    // Delete expired keys, oldest rowid first: twice as many as were added, so that a backlog shrinks.
    const prune = 'DELETE FROM keys WHERE at <= ? AND rowid IN (SELECT rowid FROM keys ORDER BY rowid LIMIT ?)'
    this.#write(prune, keyHorizon, 2 * keys.size)
  }

  #row<T extends Step | Item>(job: number, list: number, id: string): T | undefined {
    const row = this.#sql('SELECT body FROM rows WHERE job = ? AND list = ? AND name = ?').get(
      job,
      list,
      encodeText(id),
    )
    return row ? JSON.parse((row as { body: string }).body) : undefined
  }

  #sql(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#db.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** Numbers of the job's non-empty lists: merging an empty list costs as much as a full one, and most jobs use few lists. */
function filledLists({ header, marks }: StoredJob): number[] {
  const counts = [marks.stepCount, countItems(header), header.errorCount, header.logCount]
  return counts.flatMap((count, list) => (count > 0 ? [list] : []))
}

/** A flat UNION ALL, so that SQLite merges the indexes instead of sorting. */
function selectChanged(lists: readonly number[]): string {
  const selects = lists.map(
    (list) => `SELECT list, version, body FROM rows WHERE job = ?2 AND list = ${list} AND version > ?1`,
  )
  return `${selects.join(' UNION ALL ')} ORDER BY version LIMIT ?3`
}

const DELETE_OLDEST = `DELETE FROM rows WHERE rowid IN (
  SELECT rowid FROM rows WHERE job = ? AND list = ? ORDER BY version LIMIT ?)`

const selectEntries = (jobs: string) =>
  `SELECT seq, result, metadata, body FROM ${jobs} JOIN heads ON heads.job = jobs.seq`
