import type { DatabaseSync } from 'node:sqlite'
import { randomId, systemRandom } from '../../../shared/time/clock.ts'
import type { SqlValue, Statement } from './database.ts'
import type { DatabaseFiles } from './file/database-files.ts'
import { FORMAT } from './file/format.ts'
import { openReader } from './file/open.ts'
import { type CheckResult, type CommitResult, DAMAGED, isDamage, MOVED, type Plan, statementsOf } from './plan.ts'
import { headWrites } from './store.ts'

/** Interval of recovery attempts after a failure: milliseconds. */
const RETRY_MS = 1_000

/** WAL pages that trigger a checkpoint: SQLite's default. */
const CHECKPOINT_PAGES = 1_000
/** SQLite's default: bytes. */
const PAGE_SIZE = 4_096

/** The note that holds the stamp. Other notes have a slash in their keys. */
const STAMP_KEY = 'run'
const WRITE_STAMP = 'INSERT OR REPLACE INTO notes (key, text, until) VALUES (?, ?, ?)'
const STAMP_LENGTH = 16

/**
 * The only writer of a file, in a thread that may wait for the disk.
 *
 * With `synchronous=FULL` SQLite syncs the WAL before readers see a commit. A commit whose sync fails is rolled back and overwritten by
 * the next one, so readers never see a state that a power cut can undo. Only its producer can't know the outcome, since a power cut may
 * leave the commit on the disk.
 */
export class Writer {
  readonly #db: DatabaseSync
  readonly #files: DatabaseFiles
  readonly #statements = new Map<string, Statement>()
  /** Why the last commit failed; cleared by the next success. {@link DAMAGED} lasts: nothing is written any more. */
  #failure: string | undefined
  /** Estimated pages in the WAL since the last checkpoint. */
  #pages = 0
  /** A checkpoint failed: pages that it wrote may be missing on the disk even after a later sync succeeds. */
  #isDoubtful = false
  /** Another program overwrote or truncated a file, so SQLite's cached view of it is invalid. */
  #isLost = false
  /** Text of the note that only this run's file has. */
  #stamp: string | undefined
  /** Changes when another connection commits. */
  #dataVersion: number | undefined
  /** Values of the last write to `heads`: the number of a job, and its head unless that was deleted. */
  #lastHead: SqlValue[] | undefined

  constructor(db: DatabaseSync, files: DatabaseFiles) {
    this.#db = db
    this.#files = files
  }

  /** Commits a plan. Without statements it writes nothing and fails only when the file is gone. */
  commit(plan: Plan): CommitResult {
    try {
      if (!this.#isIntact()) return this.#moved
      if (this.#isDamaged) return { failed: DAMAGED }
      // Refuse other plans until the reserve exists again: space freed by removals refills it first.
      if (plan.statements !== '' && !plan.frees && !this.#files.hasReserve) return { failed: FULL, isFull: true }
      this.#makeRoomFor(plan, () => this.#run(plan))
      if (this.#isIntact()) return {}
      if (this.#isLost) return this.#moved
      throw new Error('The file was moved while it was written')
    } catch (reason) {
      return this.#fail(reason)
    }
  }

  /**
   * Checkpoints a long WAL.
   *
   * Replaces SQLite's automatic checkpoints, which ignore failures: the next one skips the pages that the failed one wrote but did not
   * sync, and a power cut would lose them.
   */
  checkpoint(): void {
    if (this.#isDoubtful || this.#isDamaged || this.#pages < CHECKPOINT_PAGES) return
    try {
      // A checkpoint would write into a file that was replaced.
      if (this.#isIntact()) this.#runCheckpoint('PASSIVE')
    } catch (reason) {
      this.#fail(reason)
    }
  }

  /** Whether commits are expected to succeed. Does not write, unless another program emptied the WAL. */
  check(): CheckResult {
    const mustKeepWal = () => this.#isDoubtful || this.#isLost
    try {
      if (!this.#isIntact()) return { ...this.#moved, mustKeepWal: mustKeepWal() }
    } catch (reason) {
      if (isDamage(reason)) this.#fail(reason)
      return { failed: this.#isDamaged ? DAMAGED : messageOf(reason), mustKeepWal: mustKeepWal() }
    }
    const failed = this.#failure === undefined ? {} : { failed: this.#failure }
    return { ...failed, mustKeepWal: mustKeepWal() }
  }

  /** Marks the file as this run's: no copy that was made before has this note. */
  stamp(): void {
    const text = JSON.stringify(randomId(systemRandom, STAMP_LENGTH))
    // Unknown when the commit fails.
    this.#stamp = undefined
    try {
      this.#makeRoomFor({ statements: '', frees: true }, () => {
        this.#transaction(() => this.#prepare(WRITE_STAMP).run(STAMP_KEY, text, Number.MAX_VALUE))
        this.#stamp = text
      })
      this.#runCheckpoint('PASSIVE')
      this.#files.keepWatched()
    } catch (reason) {
      this.#fail(reason)
    }
  }

  /**
   * Tries a failed disk again, and recreates a missing reserve.
   *
   * @returns when to call it again: milliseconds from now; `undefined` when everything has recovered
   */
  recover(): number | undefined {
    if (this.isWell) return undefined
    try {
      if (!this.#isIntact()) return RETRY_MS
      if (this.#isDoubtful) {
        this.#files.rewriteDatabase()
        this.#files.note()
        this.#isDoubtful = false
      }
      if (this.#failure !== undefined) this.#transaction(() => this.#db.exec(`PRAGMA user_version = ${FORMAT}`))
      if (!this.#files.hasReserve && !this.#files.makeReserve()) this.#shrink()
    } catch (reason) {
      this.#fail(reason)
    }
    return this.isWell ? undefined : RETRY_MS
  }

  /** Whether {@link recover} has nothing to do, or nothing that it may do. */
  get isWell(): boolean {
    if (this.#isDamaged) return true
    return this.#failure === undefined && this.#files.hasReserve && !this.#isDoubtful
  }

  get #isDamaged(): boolean {
    return this.#failure === DAMAGED
  }

  /** Remembers why the file could not be written, except for a full disk, of which the reserve tells. */
  #fail(reason: unknown): CommitResult {
    if (isFull(reason)) return { failed: FULL, isFull: true }
    if (!this.#isDamaged) this.#failure = isDamage(reason) ? DAMAGED : messageOf(reason)
    return { failed: this.#failure ?? DAMAGED }
  }

  /** Whether the files are in place and as SQLite left them. */
  #isIntact(): boolean {
    if (this.#isLost || !this.#files.isInPlace()) return false
    const finding = this.#files.check()
    const isRestarted = finding === 'restarted'
    if (finding === undefined && !this.#isWrittenByOthers()) return true
    if ((finding === undefined || isRestarted) && this.#isCurrent()) {
      if (isRestarted) this.stamp()
      return true
    }
    this.#isLost = true
    if (finding !== 'cut') this.#files.markReplaced()
    return false
  }

  /** Whether another connection has committed since the last call, as `.restore` of sqlite3 does (sqlite.org/pragma.html#pragma_data_version). */
  #isWrittenByOthers(): boolean {
    const { data_version: version } = this.#prepare('PRAGMA data_version').get() as { data_version: number }
    const before = this.#dataVersion
    this.#dataVersion = version
    return before !== undefined && before !== version
  }

  /** Whether a connection that has nothing cached finds this run's stamp, and the head that was written last. */
  #isCurrent(): boolean {
    const db = openReader(this.#files.file)
    try {
      const stamp = db.prepare('SELECT text FROM notes WHERE key = ?').get(STAMP_KEY) as { text: string } | undefined
      if (this.#stamp !== undefined && stamp?.text !== this.#stamp) return false
      if (this.#lastHead === undefined) return true
      const [job = null, body] = this.#lastHead
      const head = db.prepare('SELECT body FROM heads WHERE job = ?').get(job) as { body: string } | undefined
      return head?.body === body
    } catch (reason) {
      if (messageOf(reason).includes('locked')) throw reason
      return false
    } finally {
      db.close()
    }
  }

  get #moved(): CommitResult {
    return this.#isLost ? { failed: MOVED, isLost: true } : { failed: MOVED }
  }

  #run({ statements }: Plan): void {
    if (statements === '') return
    let lastHead = this.#lastHead
    // Unknown when the commit fails.
    this.#lastHead = undefined
    this.#transaction(() => {
      for (const { sql, values } of statementsOf(statements)) {
        // `all`, because a PRAGMA with rows completes only when they were all read.
        this.#prepare(sql).all(...values)
        this.#pages += 1
        if (headWrites.has(sql)) lastHead = values
      }
    })
    this.#lastHead = lastHead
    this.#pages += statements.length / PAGE_SIZE
  }

  /** On a full disk, retries after truncating the WAL, then, for a plan that frees space, after deleting the reserve. */
  #makeRoomFor({ frees }: Plan, run: () => void): void {
    const ways = [() => {}, () => this.#runCheckpoint('TRUNCATE'), ...(frees ? [() => this.#giveReserve()] : [])]
    for (const [index, makeRoom] of ways.entries()) {
      try {
        makeRoom()
        run()
        return
      } catch (reason) {
        if (!isFull(reason) || index === ways.length - 1) throw reason
      }
    }
  }

  /** Copies the WAL into the database file, so that its space is reused. */
  #runCheckpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    if (this.#isDoubtful) throw new Error('A checkpoint failed and was not repaired yet')
    try {
      this.#db.exec(`PRAGMA wal_checkpoint(${mode})`)
      this.#pages = 0
      this.#files.note()
    } catch (reason) {
      this.#isDoubtful = !isFull(reason)
      throw reason
    }
  }

  #giveReserve(): void {
    this.#files.releaseReserve()
    this.#runCheckpoint('TRUNCATE')
  }

  /** Returns the pages that removals freed to the disk, to make the reserve of them. */
  #shrink(): void {
    this.#transaction(() => this.#db.prepare('PRAGMA incremental_vacuum').all())
    this.#runCheckpoint('TRUNCATE')
    this.#files.makeReserve()
  }

  #prepare(text: string): Statement {
    const known = this.#statements.get(text)
    if (known) return known
    const statement = this.#db.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }

  #transaction(run: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      this.#files.beforeCommit()
      run()
      this.#db.exec('COMMIT')
      this.#failure = undefined
    } catch (error) {
      try {
        this.#db.exec('ROLLBACK')
      } catch {
        // SQLite has already rolled back, as it does after an I/O error.
      }
      throw error
    } finally {
      this.#files.afterCommit()
    }
  }
}

const FULL = 'database or disk is full'

const messageOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))

/** Matches the message, because not every runtime gives SQLite's code. */
const isFull = (reason: unknown) => messageOf(reason).includes(FULL)
