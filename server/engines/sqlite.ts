import type { DatabaseSync } from 'node:sqlite'
import { type Clock, systemClock, type Timer } from '../../shared/clock.ts'
import type { Cursor } from '../../shared/cursor.ts'
import type { JobHeader, Patch } from '../../shared/job.ts'
import { defaultLimits, type Limits } from '../../shared/limits.ts'
import type {
  Applied,
  Batch,
  Change,
  Created,
  Engine,
  ListQuery,
  NewJob,
  Page,
  StoredJob,
  Unwatch,
  View,
} from '../engine.ts'
import { problems, refuse } from '../errors.ts'
import { buildPage, startOf } from '../paging.ts'
import { Gathering } from './gathering.ts'
import { Recent } from './recent.ts'
import { type Decided, draftOf, Group } from './sqlite-group.ts'
import { LogSync } from './sqlite-log-sync.ts'
import { openDatabase } from './sqlite-open.ts'
import { type Draft, type Entry, SqliteStore } from './sqlite-store.ts'
import { type AnyTask, Task } from './sqlite-task.ts'
import { LOG_JOBS, LOG_SIZE, recover, SAVE_MS, type Unsaved } from './sqlite-unsaved.ts'
import { Wakeups } from './wakeups.ts'

/** How much JSON of jobs is kept in memory: characters, about 16 MiB. */
const CACHE_SIZE = 16 * 1024 * 1024

/** What may differ from the defaults. */
interface SqliteOptions {
  limits?: Limits
  clock?: Clock
  /** What waits for the disk. */
  log?: Pick<LogSync, 'sync' | 'close'>
}

/**
 * Documents in a SQLite file that this process alone has open.
 *
 * Requests that arrive at about the same time are committed together, with one wait for the disk, during which others are taken; each is
 * answered, and watchers are woken, once the disk has it. Nor is anything read out that the disk may still lose.
 */
export class SqliteEngine implements Engine {
  readonly name = 'sqlite'
  readonly #db: DatabaseSync
  readonly #store: SqliteStore
  readonly #limits: Limits
  readonly #entries = new Recent<string, Entry>(CACHE_SIZE)
  readonly #clock: Clock
  #unsaved: Unsaved | undefined
  #saveTimer: Timer | undefined
  readonly #wakeups = new Wakeups()
  readonly #requests: Gathering<AnyTask>
  readonly #log: Pick<LogSync, 'sync' | 'close'>
  /** What is committed, but not yet on the disk. */
  #syncing: Promise<void> | undefined
  #isClosed = false

  /** @throws {EngineOpenError} when there is no using the file */
  static open(path: string, options: SqliteOptions = {}): SqliteEngine {
    return new SqliteEngine(openDatabase(path), options)
  }

  /** @param db as {@link openDatabase} gives it */
  constructor(db: DatabaseSync, options: SqliteOptions = {}) {
    this.#db = db
    this.#store = new SqliteStore(db)
    this.#log = options.log ?? new LogSync(db)
    this.#limits = options.limits ?? defaultLimits
    this.#clock = options.clock ?? systemClock
    this.#requests = new Gathering(this.#clock, (tasks) => this.#commit(tasks))
  }

  create(job: NewJob): Promise<Created> {
    return this.#submit(
      (group) => group.create(job),
      () => ({ refused: problems.unavailable() }),
    )
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    return this.#submit(
      (group) => group.apply(id, batch),
      () => ({ refused: problems.unavailable() }),
    )
  }

  async read(id: string): Promise<StoredJob | undefined> {
    return this.#onceSynced(this.#draft(id)?.job)
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const { stored, job } = this.#draft(id) ?? {}
    if (!stored || !job) return undefined
    const from = startOf(cursor, job)
    const hasRows = page.view === 'all' && from < job.header.version
    const rows = hasRows ? this.#store.changedSince({ seq: stored.seq, job }, from) : []
    return this.#onceSynced(buildPage(job, from, rows, page.maxBytes))
  }

  async list(query: ListQuery): Promise<Page<JobHeader>> {
    const { rows, ...page } = this.#store.list(query)
    const unsaved = this.#recovered.drafts
    return this.#onceSynced({ ...page, rows: rows.map((header) => unsaved.get(header.id)?.job.header ?? header) })
  }

  remove(id: string, epoch?: string): Promise<boolean> {
    return this.#submit(
      (group) => group.remove(id, epoch),
      () => {
        throw refuse(problems.unavailable())
      },
    )
  }

  async watch(target: { job: string } | { owner: string }, wake: (change: Change) => void): Promise<Unwatch> {
    return this.#wakeups.add(target, wake)
  }

  async due(before: number, limit: number): Promise<string[]> {
    return this.#store.due(before, limit)
  }

  /** Takes the way of a publish, to the disk and back. */
  check(): Promise<void> {
    return this.#submit(
      (group) => group.check(),
      (reason) => {
        throw reason
      },
    )
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#requests.drain()
    if (this.#saveTimer !== undefined) this.#clock.clearTimeout(this.#saveTimer)
    try {
      this.#save()
    } catch {
      // The log has it all, for whoever opens the file next.
    }
    this.#log.close()
    // As the last connection to the file it moves the log into it, and deletes the log.
    this.#db.close()
  }

  /** What goes on with a job. */
  #draft(id: string): Draft | undefined {
    const unsaved = this.#recovered.drafts.get(id)
    if (unsaved) return unsaved
    const known = this.#entries.get(id)
    const entry = known ?? this.#store.find(id)
    if (entry && !known) this.#remember(id, entry)
    return entry && draftOf(entry, entry.job)
  }

  /** What was logged and not saved: after a start or a failure, what the log says. */
  get #recovered(): Unsaved {
    if (this.#unsaved) return this.#unsaved
    this.#unsaved = recover(this.#store, this.#limits)
    return this.#unsaved
  }

  #remember(id: string, entry: Entry): void {
    this.#entries.set(id, entry, entry.headSize + entry.payloadSize)
  }

  /** @param failed the answer when the group can't be written */
  #submit<T>(decide: (group: Group) => Decided<T>, failed: (reason: unknown) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) resolve(failed(new Error('The engine is closed')))
      else this.#requests.add(new Task(decide, failed, resolve, reject))
    })
  }

  /** @returns what answers them */
  async #commit(tasks: AnyTask[]): Promise<() => void> {
    const group = new Group(this.#store, (id) => this.#draft(id), this.#limits)
    try {
      const { drafts, size } = this.#recovered
      // Before anything is decided, for that goes on with the drafts.
      if (size >= LOG_SIZE || drafts.size >= LOG_JOBS) this.#save()
      for (const task of tasks) task.decide(group)
      if (!group.isEmpty) {
        this.#write(group)
        this.#syncing = this.#log.sync()
        await this.#syncing
      }
    } catch (reason) {
      for (const id of group.ids) this.#entries.delete(id)
      this.#unsaved = undefined
      return () => {
        for (const task of tasks) task.fail(reason)
      }
    } finally {
      this.#syncing = undefined
    }
    return () => {
      const told = tasks.map((task) => task.done())
      for (const one of told) if (one) this.#wakeups.notify(one.owner, one.change)
    }
  }

  /** What was read, when a power cut can't undo it any more. */
  async #onceSynced<T>(read: T): Promise<T> {
    await this.#syncing?.catch(() => {
      throw refuse(problems.unavailable())
    })
    return read
  }

  #write(group: Group): void {
    const { saved, logged, size } = this.#transaction(() => group.write(true))
    const unsaved = this.#recovered
    for (const [id, entry] of saved) {
      unsaved.drafts.delete(id)
      if (entry) this.#remember(id, entry)
      else this.#entries.delete(id)
    }
    for (const [id, draft] of logged) unsaved.drafts.set(id, draft)
    unsaved.size += size
    if (logged.size > 0) this.#saveLater()
  }

  #saveLater(): void {
    this.#saveTimer ??= this.#clock.setTimeout(() => {
      this.#saveTimer = undefined
      try {
        this.#save()
      } catch {
        // The log has it all. The disk may have room again later.
        this.#saveLater()
      }
    }, SAVE_MS)
  }

  /** Saves what was only logged, and empties the log. The log was synced, and stays until this is on the disk too: nothing waits. */
  #save(): void {
    const { drafts } = this.#recovered
    if (drafts.size === 0) return
    const saved = this.#transaction(() => {
      const entries = [...drafts].map(([id, draft]) => [id, this.#store.save(draft)] as const)
      this.#store.clearLog()
      return entries
    })
    for (const [id, entry] of saved) this.#remember(id, entry)
    this.#unsaved = { drafts: new Map(), size: 0 }
  }

  #transaction<T>(run: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = run()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      try {
        this.#db.exec('ROLLBACK')
      } catch {
        // SQLite has rolled back by itself, as it does when the disk fails.
      }
      throw error
    }
  }
}
