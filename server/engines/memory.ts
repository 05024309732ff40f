import type { Cursor } from '../../shared/document/cursor.ts'
import type { ErrorRow, Item, JobHeader, LogRow, Patch, Step } from '../../shared/document/job.ts'
import { defaultLimits, ERROR_WINDOW, type Limits, LOG_WINDOW } from '../../shared/document/limits.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { problems } from '../errors.ts'
import { applyBatch, changeOf, headerBytes } from '../jobs/apply-batch.ts'
import { dueOf, mayRemove } from '../jobs/background/due.ts'
import type {
  Applied,
  Batch,
  Change,
  Commit,
  Created,
  DueJob,
  DueQuery,
  Engine,
  JobToCreate,
  ListQuery,
  Page,
  RemoveOnly,
  StoredJob,
  StoreFigures,
  Unwatch,
  View,
  WatchTarget,
} from '../jobs/engine.ts'
import { MAX_CREATORS, MAX_KINDS } from '../jobs/engine.ts'
import { isForgotten, KEYS_KEPT } from '../jobs/idempotency.ts'
import { BLOCK_BYTES, changeOfStanding, NOTHING, refusalOfGrowth, refusalOfJob, type Standing } from '../jobs/kept.ts'
import { buildPage, type ChangedRow, ListPage, startOf } from '../jobs/paging/paging.ts'
import { isTenantList } from '../jobs/tenant-documents.ts'
import { isSameState, type JobRecord, type Transfer } from '../jobs/transfer.ts'
import { MemoryNotes } from './memory-notes.ts'
import { Wakeups } from './support/wake-ups.ts'

/** Runs after the caller's `await` has resumed, which takes one microtask. */
const afterAnswer = (run: () => void) => queueMicrotask(() => queueMicrotask(run))

/** Documents in this process's memory, lost when it ends: for tests and demos. */
export class MemoryEngine implements Engine {
  readonly name = 'memory'
  readonly notes = new MemoryNotes()
  readonly #limits: Limits
  readonly #jobs = new Map<string, Document>()
  readonly #standings = new Map<string, Standing>()
  readonly #wakeups = new Wakeups(afterAnswer)
  #created = 0

  constructor(options: { limits?: Limits } = {}) {
    this.#limits = options.limits ?? defaultLimits
  }

  async create(job: JobToCreate): Promise<Created> {
    const { id, owner, createdBy } = job.header
    const taken = this.#jobs.get(id)
    if (taken) return { created: false, job: taken.job }
    const refused = refusalOfJob(this.#standing(createdBy), job)
    if (refused) return { refused }
    const stored = { header: job.header, marks: job.marks }
    this.#jobs.set(id, new Document(stored, this.#created++))
    this.#count(undefined, stored)
    this.#wakeups.notify(owner, { id, epoch: job.header.epoch, from: 0, to: job.header.version, header: job.header })
    return { created: true, job: stored }
  }

  async apply(id: string, batch: Batch): Promise<Applied> {
    const document = this.#jobs.get(id)
    if (!document) return { refused: problems.notFound() }
    const outcome = applyBatch(document.loaded(batch), batch, this.#limits)
    if ('refused' in outcome) return outcome
    if ('repeat' in outcome) return { header: outcome.repeat, repeat: true }
    const { header } = outcome.commit
    const before = document.job
    const refused = refusalOfGrowth(this.#standing(header.createdBy), before, outcome.commit, this.#limits)
    if (refused) return { refused }
    this.#count(before, outcome.commit)
    document.commit(outcome.commit, batch)
    this.#wakeups.notify(header.owner, changeOf(outcome.commit))
    return { header, repeat: false }
  }

  async read(id: string): Promise<StoredJob | undefined> {
    return this.#jobs.get(id)?.job
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const document = this.#jobs.get(id)
    if (!document) return undefined
    const from = startOf(cursor, document.job)
    return buildPage(document.job, from, page.view === 'all' ? document.changedSince(from) : [], page.maxBytes)
  }

  async list(query: ListQuery): Promise<Page<JobHeader>> {
    const before = query.cursor === undefined ? Number.POSITIVE_INFINITY : Number(query.cursor)
    const page = new ListPage(query)
    for (const { place, job } of this.#inOrder().reverse()) {
      if (page.isFull) break
      if (place < before && matches(job.header, query)) page.add(job.header, `${place}`, headerBytes(job.header))
    }
    return page.page
  }

  async remove(id: string, only: RemoveOnly = {}): Promise<boolean> {
    const job = this.#jobs.get(id)?.job
    if (!job || !mayRemove(job, only)) return false
    const { header } = job
    this.#jobs.delete(id)
    this.#count(job, undefined)
    const change: Change = { id, epoch: header.epoch, from: header.version, to: header.version, header, removed: true }
    this.#wakeups.notify(header.owner, change)
    return true
  }

  async watch(target: WatchTarget, wake: (change: Change) => void): Promise<Unwatch> {
    return this.#wakeups.add(target, wake)
  }

  readonly transfer: Transfer = {
    countJobs: async () => this.#jobs.size,
    listIds: async ({ cursor = '-1', limit }) => {
      const found = this.#inOrder().filter(({ place }) => place > Number(cursor))
      const rows = found.slice(0, limit).map(({ job }) => job.header.id)
      return found.length > limit ? { rows, nextCursor: `${found[limit - 1]?.place}` } : { rows }
    },
    readRecord: async (id) => this.#jobs.get(id)?.record(),
    writeRecord: async (record, over) => this.#restore(record, over),
    listNotes: async (query) => this.notes.all(query),
  }

  async figures(most: number): Promise<StoreFigures> {
    const byStatus: StoreFigures['byStatus'] = {}
    const kinds = new Map<string, number>()
    for (const { job } of this.#jobs.values()) {
      const { status, kind } = job.header
      byStatus[status] = Math.min(most, (byStatus[status] ?? 0) + 1)
      kinds.set(kind, Math.min(most, (kinds.get(kind) ?? 0) + 1))
    }
    const byKind = [...kinds].map(([kind, jobs]) => ({ kind, jobs })).sort((a, b) => (a.kind < b.kind ? -1 : 1))
    const creators = [...this.#standings].map(([sub, { live, jobs, blocks }]) => ({
      sub,
      live: Math.min(most, live),
      jobs,
      bytes: blocks * BLOCK_BYTES,
    }))
    creators.sort((a, b) => b.bytes - a.bytes || (a.sub < b.sub ? -1 : 1))
    return { byStatus, byKind: byKind.slice(0, MAX_KINDS), creators: creators.slice(0, MAX_CREATORS) }
  }

  async due({ list, before, after, limit }: DueQuery): Promise<DueJob[]> {
    const jobs: DueJob[] = []
    for (const [id, { job }] of this.#jobs) {
      const due = dueOf(job)
      if (due?.list !== list || due.at > before) continue
      const found = { id, at: due.at, createdBy: job.header.createdBy }
      if (!after || compareDue(found, after) > 0) jobs.push(found)
    }
    return jobs.sort(compareDue).slice(0, limit)
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {
    this.#jobs.clear()
  }

  /** The oldest first. */
  #inOrder(): Document[] {
    return [...this.#jobs.values()].sort((a, b) => a.place - b.place)
  }

  #restore(record: JobRecord, over: StoredJob | undefined): boolean {
    const { id } = record.header
    const before = this.#jobs.get(id)
    if ((before === undefined) !== (over === undefined) || !isSameState(before?.job, over)) return false
    const isTaken = [...this.#jobs.values()].some(({ place }) => place === record.place)
    const place = before?.place ?? (isTaken ? this.#created : record.place)
    this.#created = Math.max(this.#created, place + 1)
    const document = new Document({ header: record.header, marks: record.marks }, place)
    document.restore(record)
    this.#jobs.set(id, document)
    // What it replaces may be of another creator.
    this.#count(before?.job, undefined)
    this.#count(undefined, document.job)
    return true
  }

  #standing(createdBy: string): Standing {
    return this.#standings.get(createdBy) ?? NOTHING
  }

  /** Updates a creator's counts for one job's change; `undefined` means absent. */
  #count(before: StoredJob | undefined, after: StoredJob | undefined): void {
    const createdBy = (after ?? before)?.header.createdBy
    if (createdBy === undefined) return
    const { live, jobs, blocks } = this.#standing(createdBy)
    const change = changeOfStanding(before, after)
    const standing = { live: live + change.live, jobs: jobs + change.jobs, blocks: blocks + change.blocks }
    if (standing.jobs === 0) this.#standings.delete(createdBy)
    else this.#standings.set(createdBy, standing)
  }
}

function compareDue(a: Pick<DueJob, 'at' | 'id'>, b: Pick<DueJob, 'at' | 'id'>): number {
  return a.at - b.at || (a.id < b.id ? -1 : Number(a.id > b.id))
}

/** Whether a header matches the query. */
function matches(header: JobHeader, { owner, status, live, kind, parentId }: ListQuery): boolean {
  return (
    (owner === undefined || header.owner === owner || (header.id.startsWith(owner) && isTenantList(owner))) &&
    (status === undefined || header.status === status) &&
    (live === undefined || isTerminalStatus(header.status) !== live) &&
    (kind === undefined || header.kind === kind) &&
    (parentId === undefined || header.parentId === parentId)
  )
}

/** One job and its rows. */
class Document {
  job: StoredJob
  /** Position in the order of creation. */
  readonly place: number
  readonly #steps = new Map<string, Step>()
  readonly #items = new Map<string, Item>()
  readonly #keys = new Map<string, { digest: string; at: number }>()
  #errors: ErrorRow[] = []
  #logs: LogRow[] = []
  /** Rows by version. Superseded rows and rows that left a window stay until the next sweep. */
  #history: ChangedRow[] = []

  constructor(job: StoredJob, place: number) {
    this.job = job
    this.place = place
  }

  loaded(batch: Batch) {
    const known = batch.key && this.#keys.get(batch.key.key)
    return {
      job: this.job,
      step: (id: string) => this.#steps.get(id),
      item: (id: string) => this.#items.get(id),
      key: known && !isForgotten(known.at, batch) ? known : undefined,
    }
  }

  commit({ header, marks, steps, items, errors, logs }: Commit, batch: Batch): void {
    this.job = { header, marks }
    const rows: ChangedRow[] = []
    for (const row of steps) rows.push({ list: 'steps', row })
    for (const row of items) rows.push({ list: 'items', row })
    for (const row of errors) rows.push({ list: 'errors', row })
    for (const row of logs) rows.push({ list: 'logs', row })
    this.#add(rows.sort((a, b) => a.row.version - b.row.version))
    if (batch.key) this.#remember(batch.key.key, batch.key.digest, Date.parse(batch.at))
    const live = this.#steps.size + this.#items.size + this.#errors.length + this.#logs.length
    if (this.#history.length > 2 * live + 64)
      this.#history = this.#history.filter((changed) => this.#isCurrent(changed))
  }

  record(): JobRecord {
    const keys = [...this.#keys].map(([key, { digest, at }]) => ({ key, digest, at }))
    return { ...this.job, place: this.place, rows: [...this.changedSince(0)], keys }
  }

  restore({ rows, keys }: JobRecord): void {
    this.#add(rows)
    for (const { key, digest, at } of keys) this.#remember(key, digest, at)
  }

  /** @param rows in the order of their versions */
  #add(rows: readonly ChangedRow[]): void {
    for (const changed of rows) {
      this.#history.push(changed)
      if (changed.list === 'steps') this.#steps.set(changed.row.id, changed.row)
      else if (changed.list === 'items') this.#items.set(changed.row.id, changed.row)
    }
    const errors = rows.flatMap(({ list, row }) => (list === 'errors' ? [row] : []))
    const logs = rows.flatMap(({ list, row }) => (list === 'logs' ? [row] : []))
    if (errors.length > 0) this.#errors = [...this.#errors, ...errors].slice(-ERROR_WINDOW)
    if (logs.length > 0) this.#logs = [...this.#logs, ...logs].slice(-LOG_WINDOW)
  }

  *changedSince(version: number): Iterable<ChangedRow> {
    for (let at = this.#firstAfter(version); at < this.#history.length; at++) {
      const changed = this.#history[at]
      if (changed && this.#isCurrent(changed)) yield changed
    }
  }

  #remember(key: string, digest: string, at: number): void {
    // Deleted first, so that a key reused after its lifetime becomes the newest in the map.
    this.#keys.delete(key)
    this.#keys.set(key, { digest, at })
    const oldest = this.#keys.size > KEYS_KEPT ? this.#keys.keys().next().value : undefined
    if (oldest !== undefined) this.#keys.delete(oldest)
  }

  #isCurrent({ list, row }: ChangedRow): boolean {
    switch (list) {
      case 'steps':
        return this.#steps.get(row.id) === row
      case 'items':
        return this.#items.get(row.id) === row
      case 'errors':
        return row.version >= (this.#errors[0]?.version ?? 0)
      case 'logs':
        return row.version >= (this.#logs[0]?.version ?? 0)
    }
  }

  #firstAfter(version: number): number {
    let low = 0
    let high = this.#history.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#history[middle]?.row.version ?? 0) > version) high = middle
      else low = middle + 1
    }
    return low
  }
}
