import type { DatabaseSync } from 'node:sqlite'
import { type Clock, systemClock } from '../../shared/clock.ts'
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
import { type Decided, Group } from './sqlite-group.ts'
import { LogSync } from './sqlite-log-sync.ts'
import { openDatabase } from './sqlite-open.ts'
import { type Entry, SqliteStore } from './sqlite-store.ts'
import { Wakeups } from './wakeups.ts'

/** How much JSON of jobs is kept in memory: characters, about 16 MiB. */
const CACHE_SIZE = 16 * 1024 * 1024

export interface SqliteOptions {
  limits?: Limits
  clock?: Clock
  /** What waits for the disk. */
  log?: Pick<LogSync, 'sync' | 'close'>
}

/** A request that waits for its group. */
interface Task {
  decide(group: Group): void
  /** The file has it: answers, and says who is to be told of what. */
  done(): Decided<unknown>['told']
  /** The group could not be written. */
  failed(reason: unknown): void
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
  readonly #wakeups = new Wakeups()
  readonly #requests: Gathering<Task>
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
    this.#requests = new Gathering(options.clock ?? systemClock, (tasks) => this.#commit(tasks))
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
    return this.#onceSynced(this.#find(id)?.job)
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const entry = this.#find(id)
    if (!entry) return undefined
    const from = startOf(cursor, entry.job)
    const hasRows = page.view === 'all' && from < entry.job.header.version
    const patch = buildPage(entry.job, from, hasRows ? this.#store.changedSince(entry, from) : [], page.maxBytes)
    return this.#onceSynced(patch)
  }

  async list(query: ListQuery): Promise<Page<JobHeader>> {
    return this.#onceSynced(this.#store.list(query))
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
    this.#log.close()
    // As the last connection to the file it moves the log into it, and deletes the log.
    this.#db.close()
  }

  #find(id: string): Entry | undefined {
    const known = this.#entries.get(id)
    if (known) return known
    const entry = this.#store.find(id)
    if (entry) this.#remember(id, entry)
    return entry
  }

  #remember(id: string, entry: Entry): void {
    this.#entries.set(id, entry, entry.headSize + entry.payloadSize)
  }

  /** @param failed the answer when the group can't be written */
  async #submit<T>(decide: (group: Group) => Decided<T>, failed: (reason: unknown) => T): Promise<T> {
    if (this.#isClosed) return failed(new Error('The engine is closed'))
    return new Promise((resolve, reject) => {
      let decided: Decided<T> | undefined
      this.#requests.add({
        decide(group) {
          try {
            decided = decide(group)
          } catch (error) {
            reject(error)
          }
        },
        done() {
          if (decided) resolve(decided.answer)
          return decided?.told
        },
        failed(reason) {
          try {
            resolve(failed(reason))
          } catch (error) {
            reject(error)
          }
        },
      })
    })
  }

  async #commit(tasks: Task[]): Promise<void> {
    const group = new Group(this.#store, (id) => this.#find(id), this.#limits)
    for (const task of tasks) task.decide(group)
    try {
      if (!group.isEmpty) {
        this.#write(group)
        this.#syncing = this.#log.sync()
        await this.#syncing
      }
    } catch (reason) {
      for (const id of group.ids) this.#entries.delete(id)
      for (const task of tasks) task.failed(reason)
      return
    } finally {
      this.#syncing = undefined
    }
    const told = tasks.map((task) => task.done())
    for (const one of told) if (one) this.#wakeups.notify(one.owner, one.change)
  }

  /** What was read, when a power cut can't undo it any more. */
  async #onceSynced<T>(read: T): Promise<T> {
    await this.#syncing?.catch(() => {
      throw refuse(problems.unavailable())
    })
    return read
  }

  #write(group: Group): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const written = group.write()
      this.#db.exec('COMMIT')
      for (const [id, entry] of written) {
        if (entry) this.#remember(id, entry)
        else this.#entries.delete(id)
      }
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
