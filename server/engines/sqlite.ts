import type { DatabaseSync } from 'node:sqlite'
import type { Cursor } from '../../shared/cursor.ts'
import type { JobHeader, Patch } from '../../shared/job.ts'
import { defaultLimits, type Limits } from '../../shared/limits.ts'
import { eventAt } from '../apply-batch.ts'
import type {
  Applied,
  Batch,
  Change,
  Created,
  DueJob,
  DueQuery,
  Engine,
  ListQuery,
  NewJob,
  Page,
  RemoveOnly,
  StoredJob,
  Unwatch,
  View,
} from '../engine.ts'
import { problems, refuse } from '../errors.ts'
import { buildPage, startOf } from '../paging.ts'
import { Recent } from './recent.ts'
import type { Answer, Call, Reply } from './sqlite-calls.ts'
import { openReader } from './sqlite-open.ts'
import { type Entry, SqliteStore } from './sqlite-store.ts'
import { type Answered, WriterThread } from './sqlite-thread.ts'
import { Wakeups } from './wakeups.ts'

/** How much JSON of jobs is kept in memory: characters, about 16 MiB. */
const CACHE_SIZE = 16 * 1024 * 1024

/**
 * Documents in a SQLite file that this process alone writes.
 *
 * A thread of its own commits, and waits for the disk. This one reads, with a connection that sees what is committed, and synced,
 * alone; so it never waits for the disk, and nothing that it answers can be lost.
 */
export class SqliteEngine implements Engine {
  readonly name = 'sqlite'
  readonly #db: DatabaseSync
  readonly #store: SqliteStore
  readonly #jobs = new Recent<string, Entry>(CACHE_SIZE)
  readonly #wakeups = new Wakeups()
  readonly #thread: WriterThread
  #isClosed = false

  /** @param thread whose file is open: see {@link open} */
  constructor(thread: WriterThread) {
    this.#thread = thread
    thread.onReply = (calls, reply) => this.#onReply(calls, reply)
    this.#db = openReader(thread.file)
    this.#store = new SqliteStore(this.#db)
  }

  /** @throws {EngineOpenError} when there is no using the file */
  static async open(path: string, { limits = defaultLimits }: { limits?: Limits } = {}): Promise<SqliteEngine> {
    return new SqliteEngine(await WriterThread.open({ path, limits }))
  }

  async create(job: NewJob): Promise<Created> {
    const { answer } = await this.#call({ do: 'create', job })
    if ('refused' in answer) return answer
    if (!('created' in answer)) throw unexpected(answer)
    return answer.created ? { created: true, job: { header: job.header, marks: job.marks } } : answer
  }

  async apply(id: string, batch: Batch): Promise<Applied> {
    const call: Call = { do: 'apply', id, batch }
    const { answer, entries } = await this.#call(call)
    if ('refused' in answer) return answer
    if ('repeat' in answer) return { header: answer.repeat, repeat: true }
    const header = headerOf(call, answer, entries)
    if (!header) throw unexpected(answer)
    return { header, repeat: false }
  }

  async read(id: string): Promise<StoredJob | undefined> {
    return (this.#jobs.get(id) ?? this.#find(id))?.job
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    // The head and the rows of one moment: the other thread commits at any time.
    this.#db.exec('BEGIN')
    try {
      const entry = this.#find(id)
      if (!entry) return undefined
      const from = startOf(cursor, entry.job)
      const hasRows = page.view === 'all' && from < entry.job.header.version
      return buildPage(entry.job, from, hasRows ? this.#store.changedSince(entry, from) : [], page.maxBytes)
    } finally {
      this.#db.exec('COMMIT')
    }
  }

  async list(query: ListQuery): Promise<Page<JobHeader>> {
    return this.#store.list(query)
  }

  async remove(id: string, only?: RemoveOnly): Promise<boolean> {
    const { answer } = await this.#call({ do: 'remove', id, ...(only ? { only } : {}) })
    if ('refused' in answer) throw refuse(answer.refused)
    if (!('removed' in answer)) throw unexpected(answer)
    return answer.removed !== false
  }

  async watch(target: { job: string } | { owner: string }, wake: (change: Change) => void): Promise<Unwatch> {
    return this.#wakeups.add(target, wake)
  }

  async due(query: DueQuery): Promise<DueJob[]> {
    return this.#store.due(query)
  }

  async check(): Promise<void> {
    const { answer } = await this.#call({ do: 'check' })
    if ('refused' in answer) throw refuse(answer.refused)
    if (!('checked' in answer)) throw unexpected(answer)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    // The writer closes last: the last connection moves the write-ahead log into the file, and deletes it.
    await this.#thread.close(() => this.#db.close())
  }

  async #call(call: Call): Promise<Answered> {
    if (this.#isClosed)
      return { answer: { refused: problems.unavailable('The server is stopping.') }, entries: new Map() }
    return await this.#thread.call(call)
  }

  #find(id: string): Entry | undefined {
    const entry = this.#store.find(id)
    if (entry) this.#remember(id, entry)
    return entry
  }

  #remember(id: string, entry: Entry): void {
    this.#jobs.set(id, entry, entry.headSize + entry.payloadSize)
  }

  #onReply(calls: readonly Call[], { answers, entries }: Reply): void {
    for (const [id, entry] of entries) {
      if (entry) this.#remember(id, entry)
      else this.#jobs.delete(id)
    }
    const changes = calls.flatMap((call, index) => {
      const answer = answers[index]
      const header = answer && headerOf(call, answer, entries)
      return header && this.#wakeups.hears(header.id, header.owner) ? [changeOf(call, answer, header)] : []
    })
    // They wake after the answers, which leave with the promises that are kept now.
    for (const change of changes) this.#wakeups.notify(change.header.owner, change)
  }
}

/** The header of a job that changed, after the change or, when it was removed, before it. */
function headerOf(call: Call, answer: Answer, entries: Reply['entries']): JobHeader | undefined {
  if ('created' in answer) return answer.created && call.do === 'create' ? call.job.header : undefined
  if ('from' in answer) return answer.header ?? (call.do === 'apply' ? entries.get(call.id)?.job.header : undefined)
  return 'removed' in answer && answer.removed ? answer.removed : undefined
}

/** What there is to tell of a call. */
function changeOf(call: Call, answer: Answer, header: JobHeader): Change & { header: JobHeader } {
  const { id, epoch, version } = header
  if ('removed' in answer) return { id, epoch, from: version, to: version, header, removed: true }
  if (call.do !== 'apply' || !('from' in answer)) return { id, epoch, from: 0, to: version, header }
  const { from } = answer
  const { batch } = call
  const events = answer.events ?? batch.events.map((event, index) => eventAt(event, from + 1 + index, batch))
  return { id, epoch, from, to: version, events, header }
}

const unexpected = (answer: Answer) => new Error('error' in answer ? answer.error : 'The writer gave no answer')
