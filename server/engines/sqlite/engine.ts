import type { DatabaseSync } from 'node:sqlite'
import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import {
  type Clock,
  nextTurn,
  type Random,
  randomId,
  systemClock,
  systemRandom,
  type Timer,
} from '../../../shared/time/clock.ts'
import { type Problem, ProblemError, problems, refuse } from '../../errors.ts'
import type {
  Applied,
  Batch,
  Change,
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
} from '../../jobs/engine.ts'
import { buildPage, rowsSince, startOf } from '../../jobs/paging/paging.ts'
import { LruCache } from '../../support/lru.ts'
import { GroupCommit } from '../support/group-commit.ts'
import { lastWrite } from '../support/last-write.ts'
import { LoopTurns } from '../support/loop-turns.ts'
import { Wakeups } from '../support/wake-ups.ts'
import type { StoredEntry } from './entry.ts'
import { readFigures } from './figures.ts'
import { openReader } from './file/open.ts'
import { Group } from './group.ts'
import { SqliteNotes } from './notes.ts'
import { type CommitResult, DAMAGED, isDamage, MOVED, PlanBuilder } from './plan.ts'
import { SqliteStore, type Write } from './store.ts'
import { type AnyTask, type Request, Task } from './task.ts'
import { WriterThread } from './thread.ts'
import { SqliteTransfer } from './transfer.ts'

/** Size of the LRU cache of job headers: characters of JSON, about 16 MiB. */
const CACHE_SIZE = 16 * 1024 * 1024
/** Reads that may return more rows than this get a turn of the event loop of their own. */
const LARGE_ROWS = 500
/** Rows of removed jobs deleted in one transaction: some milliseconds of the writer thread. */
const TRASH_ROWS = 2_000
/** Pause before the next deletion: milliseconds, after a success and after a failure. */
const TIDY_MS = { soon: 2, later: 1_000 }

/** Weight of a creation, and bytes of JSON that weigh as much as one event: see `fair-share.ts`. */
const CREATION_WEIGHT = 8
const BYTES_PER_WEIGHT = 1_024

interface SqliteOptions {
  limits?: Limits
  clock?: Clock
  random?: Random
}

const refused = (problem: Problem) => ({ refused: problem })

/**
 * Documents in a SQLite file that only this process writes.
 *
 * The event loop decides concurrent requests as one group, and a writer thread commits the group as one transaction, so the event loop
 * never waits for a sync. Reads use a second, read-only connection, which sees only committed and synced data.
 */
export class SqliteEngine implements Engine {
  readonly name = 'sqlite'
  readonly lastWrittenAt: number | undefined
  readonly notes: SqliteNotes
  readonly transfer: SqliteTransfer
  readonly #db: DatabaseSync
  readonly #plan = new PlanBuilder()
  readonly #write: Write = (sql, ...values) => this.#plan.write(sql, ...values)
  readonly #store: SqliteStore
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #entries = new LruCache<string, StoredEntry>(CACHE_SIZE)
  /** Id of this run. A restored file is always served by a later run, with another id. */
  readonly #generation: string
  readonly #wakeups = new Wakeups()
  readonly #largeReads = new LoopTurns()
  readonly #requests: GroupCommit<AnyTask>
  readonly #thread: WriterThread
  #tidyTimer: Timer | undefined
  #isClosed = false
  /** A file was overwritten or truncated. Lasts until the next start. */
  #isLost = false
  /** SQLite has found a damaged page, in a read or in the writer thread. Lasts until the next start. */
  #isDamaged = false

  /** @param thread with an open file: see {@link open} */
  constructor(
    thread: WriterThread,
    { limits = defaultLimits, clock = systemClock, random = systemRandom }: SqliteOptions = {},
    lastWrittenAt?: number,
  ) {
    this.lastWrittenAt = lastWrittenAt
    this.#generation = randomId(random, 8)
    this.#thread = thread
    this.#limits = limits
    this.#clock = clock
    this.#db = openReader(thread.file)
    this.#store = new SqliteStore(this.#db, this.#write, { trash: true, kept: true })
    this.notes = new SqliteNotes(
      this.#db,
      (request) => this.#submit(request),
      (read) => this.#read(read),
    )
    this.transfer = new SqliteTransfer(
      this.#db,
      this.#store,
      (request) => this.#submit(request),
      (read) => this.#read(read),
    )
    this.#requests = new GroupCommit(clock, (tasks) => this.#commit(tasks))
    this.#tidyIn(TIDY_MS.soon)
  }

  /** @throws {EngineOpenError} when the file can't be used */
  static async open(path: string, options: SqliteOptions = {}): Promise<SqliteEngine> {
    const lastWrittenAt = lastWrite(path, `${path}-wal`)
    return new SqliteEngine(await WriterThread.open(path), options, lastWrittenAt)
  }

  create(job: JobToCreate): Promise<Created> {
    const who = job.header.createdBy
    return this.#submit({ who, weight: CREATION_WEIGHT, decide: (group) => group.create(job), refused })
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    const { createdBy: who, events, bytes = 0 } = batch
    const weight = events.length + Math.floor(bytes / BYTES_PER_WEIGHT)
    // Cancel requests and the end of tokens succeed on a full disk too.
    const frees = typeof batch.decide === 'string'
    return this.#submit({ who, weight, decide: (group) => group.apply(id, batch), refused, frees })
  }

  read(id: string): Promise<StoredJob | undefined> {
    return this.#read(() => this.#find(id)?.job)
  }

  changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    return this.#read(async () => {
      // A paging reader asks for the next page at once, and after a restart many readers page at the same time.
      if (page.view === 'all' && this.#isLarge(id, cursor)) await this.#largeReads.take()
      return this.#changesSince(id, cursor, page)
    })
  }

  /** Whether more than LARGE_ROWS rows may have changed since a cursor. */
  #isLarge(id: string, cursor: Cursor | undefined): boolean {
    const job = this.#find(id)?.job
    return job !== undefined && rowsSince(job, startOf(cursor, job)) > LARGE_ROWS
  }

  #changesSince(id: string, cursor: Cursor | undefined, page: { view: View; maxBytes: number }): Patch | undefined {
    // One snapshot for head and rows: the writer thread may commit in between.
    this.#db.exec('BEGIN')
    try {
      const entry = this.#readEntry(id)
      if (!entry) return undefined
      const from = startOf(cursor, entry.job)
      const hasRows = page.view === 'all' && from < entry.job.header.version
      return buildPage(entry.job, from, hasRows ? this.#store.changedSince(entry, from) : [], page.maxBytes)
    } finally {
      this.#db.exec('COMMIT')
    }
  }

  list(query: ListQuery): Promise<Page<JobHeader>> {
    return this.#read(() => this.#store.list(query))
  }

  remove(id: string, only?: RemoveOnly): Promise<boolean> {
    return this.#submit({ decide: (group) => group.remove(id, only), frees: true })
  }

  async watch(target: WatchTarget, wake: (change: Change) => void): Promise<Unwatch> {
    return this.#wakeups.add(target, wake)
  }

  figures(most: number): Promise<StoreFigures> {
    return this.#read(() => readFigures(this.#db, most, () => nextTurn(this.#clock)))
  }

  due(query: DueQuery): Promise<DueJob[]> {
    return this.#read(() => this.#store.due(query))
  }

  async check(): Promise<void> {
    const { failed } = this.#learn(await this.#thread.check())
    await this.#read(() => {
      if (failed !== undefined) throw failed === MOVED ? refuse(problems.unavailable(MOVED)) : new Error(failed)
      this.#store.find('')
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#requests.drain()
    if (this.#tidyTimer !== undefined) this.#clock.clearTimeout(this.#tidyTimer)
    // The last connection to close checkpoints the WAL and deletes it, unless it is read-only.
    const { mustKeepWal } = await this.#thread.check()
    if (mustKeepWal) await this.#thread.close()
    this.#db.close()
    if (!mustKeepWal) await this.#thread.close()
  }

  /** @throws ProblemError after a file was overwritten or truncated, because reads would mix it with the cache, and after damage */
  #requireFile(): void {
    if (this.#isLost) throw refuse(problems.unavailable(MOVED))
    if (this.#isDamaged) throw refuse(problems.unavailable(DAMAGED))
  }

  /** @throws ProblemError when the state of the files explains why a read failed, otherwise its error */
  async #read<T>(read: () => T | Promise<T>): Promise<T> {
    try {
      this.#requireFile()
      return await read()
    } catch (error) {
      if (error instanceof ProblemError) throw error
      const { failed } = await this.#failureOf(error)
      throw failed === MOVED || failed === DAMAGED ? refuse(problems.unavailable(failed)) : error
    }
  }

  /** Why a read failed. The state of the files comes first: what another program wrote may look like damage. */
  async #failureOf(error: unknown): Promise<CommitResult> {
    const found = this.#learn(await this.#thread.check())
    if (found.failed === MOVED) return found
    return this.#learn({ failed: isDamage(error) ? DAMAGED : String(error) })
  }

  /** Notes what an outcome says of the files. Once damage is found nothing is read or written: what is read may be wrong. */
  #learn(result: CommitResult): CommitResult {
    this.#isLost ||= result.isLost === true
    if (result.failed !== DAMAGED || this.#isDamaged) return result
    this.#isDamaged = true
    console.error(`${this.#thread.file}: ${DAMAGED}`)
    return result
  }

  #submit<T>(request: Request<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const task = new Task(request, resolve, reject)
      if (this.#isClosed) task.fail(problems.unavailable('The server is stopping. Send the request again.'))
      else this.#requests.add(task)
    })
  }

  #find(id: string): StoredEntry | undefined {
    return this.#entries.get(id) ?? this.#readEntry(id)
  }

  #readEntry(id: string): StoredEntry | undefined {
    const entry = this.#store.find(id)
    if (entry) this.#remember(id, entry)
    return entry
  }

  #remember(id: string, entry: StoredEntry): void {
    this.#entries.set(id, entry, entry.headSize + entry.payloadSize)
  }

  /** @returns a function that responds to the requests */
  async #commit(tasks: AnyTask[]): Promise<() => void> {
    const { failed, isFull } = await this.#attempt(tasks)
    if (failed === undefined) return () => this.#answer(tasks)
    if (isFull) return this.#commitRemovals(tasks)
    const problem = problems.unavailable(failed === MOVED || failed === DAMAGED ? failed : undefined)
    return () => {
      for (const task of tasks) task.fail(problem)
    }
  }

  /** On a full disk only removals are committed, in the reserved space; other requests fail. */
  async #commitRemovals(tasks: AnyTask[]): Promise<() => void> {
    const [removals, others] = [tasks.filter(({ frees }) => frees), tasks.filter(({ frees }) => !frees)]
    const { failed } = removals.length > 0 ? await this.#attempt(removals) : {}
    return () => {
      if (failed === undefined) this.#answer(removals)
      for (const task of failed === undefined ? others : tasks) task.fail(problems.full())
    }
  }

  /** Decides each request on the committed state plus the effects of the requests before it, then commits all as one transaction. */
  async #attempt(tasks: readonly AnyTask[]): Promise<CommitResult> {
    const findNote = (key: string) => this.notes.find(key)
    const group = new Group(this.#store, (id) => this.#find(id), this.#limits, findNote, this.#generation)
    let saved: Map<string, StoredEntry | undefined>
    if (this.#isDamaged) return { failed: DAMAGED }
    try {
      for (const task of tasks) task.decide(group)
      saved = group.write()
      group.notes.write(this.#write)
    } catch (error) {
      // Discard the partial plan: the next group must not commit it.
      this.#plan.take()
      return this.#failureOf(error)
    }
    // Also without statements: a repeated key must fail too when the file is gone.
    const frees = tasks.every((task) => task.frees)
    const outcome = this.#learn(await this.#thread.commit({ statements: this.#plan.take(), frees }))
    if (outcome.failed !== undefined) {
      for (const id of group.ids) this.#entries.delete(id)
      return outcome
    }
    for (const [id, entry] of saved) {
      if (entry) this.#remember(id, entry)
      else {
        this.#entries.delete(id)
        this.#tidyIn(TIDY_MS.soon)
      }
    }
    return outcome
  }

  #answer(tasks: readonly AnyTask[]): void {
    for (const wakeUp of tasks.map((task) => task.done())) if (wakeUp) this.#wakeups.notify(wakeUp.owner, wakeUp.change)
  }

  /** Deletes rows of removed jobs and shrinks the file, slice by slice, until both are done. Deletes nothing from a damaged file. */
  #tidyIn(ms: number): void {
    if (this.#isClosed || this.#isDamaged) return
    this.#tidyTimer ??= this.#clock.setTimeout(() => void this.#tidy(), ms)
  }

  async #tidy(): Promise<void> {
    if (this.#isDamaged) return
    let isMore = false
    let failed: string | undefined
    try {
      isMore = this.#store.emptyTrash(TRASH_ROWS) || this.#store.shrink()
      if (isMore) failed = this.#learn(await this.#thread.commit({ statements: this.#plan.take(), frees: true })).failed
    } catch (error) {
      failed = (await this.#failureOf(error)).failed
    }
    this.#tidyTimer = undefined
    if (isMore || failed !== undefined) this.#tidyIn(failed === undefined ? TIDY_MS.soon : TIDY_MS.later)
  }
}
