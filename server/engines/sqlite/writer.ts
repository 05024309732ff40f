import type { DatabaseSync } from 'node:sqlite'
import type { Statement } from './database.ts'
import type { DatabaseFiles } from './files.ts'
import { FORMAT } from './format.ts'
import { type CommitResult, MOVED, type Plan, statementsOf } from './plan.ts'

/** Interval of recovery attempts after a failure: milliseconds. */
const RETRY_MS = 1_000

/** WAL pages that trigger a checkpoint: SQLite's default. */
const CHECKPOINT_PAGES = 1_000
/** SQLite's default: bytes. */
const PAGE_SIZE = 4_096

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
  /** Why the last commit failed; cleared by the next success. */
  #failure: string | undefined
  /** Estimated pages in the WAL since the last checkpoint. */
  #pages = 0
  /** A checkpoint failed: pages that it wrote may be missing on the disk even after a later sync succeeds. */
  #isDoubtful = false
  /** Another program truncated a file, so SQLite's cached view of it is invalid. */
  #isCutShort = false

  constructor(db: DatabaseSync, files: DatabaseFiles) {
    this.#db = db
    this.#files = files
  }

  /** Commits a plan. Without statements it writes nothing and fails only when the file is gone. */
  commit(plan: Plan): CommitResult {
    if (!this.#isIntact()) return { failed: MOVED }
    // Refuse other plans until the reserve exists again: space freed by removals refills it first.
    if (plan.statements !== '' && !plan.frees && !this.#files.hasReserve) return { failed: FULL, isFull: true }
    try {
      this.#makeRoomFor(plan, () => this.#run(plan))
      if (this.#isIntact()) return {}
      throw new Error('The file was moved while it was written')
    } catch (reason) {
      if (isFull(reason)) return { failed: FULL, isFull: true }
      this.#failure = messageOf(reason)
      return { failed: this.#failure }
    }
  }

  /**
   * Checkpoints a long WAL.
   *
   * Replaces SQLite's automatic checkpoints, which ignore failures: the next one skips the pages that the failed one wrote but did not
   * sync, and a power cut would lose them.
   */
  checkpoint(): void {
    if (this.#isDoubtful || this.#pages < CHECKPOINT_PAGES) return
    try {
      this.#runCheckpoint('PASSIVE')
    } catch (reason) {
      if (!isFull(reason)) this.#failure = messageOf(reason)
    }
  }

  /** Whether the database must not be closed: closing deletes the WAL, which the next start needs for repair. */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  /** Whether commits are expected to succeed. Does not write. */
  check(): CommitResult {
    const failed = this.#isIntact() ? this.#failure : MOVED
    return failed === undefined ? {} : { failed }
  }

  /**
   * Tries a failed disk again, and recreates a missing reserve.
   *
   * @returns when to call it again: milliseconds from now; `undefined` when everything has recovered
   */
  recover(): number | undefined {
    try {
      if (this.#isDoubtful) {
        this.#files.rewriteDatabase()
        this.#isDoubtful = false
      }
      if (this.#failure !== undefined) this.#transaction(() => this.#db.exec(`PRAGMA user_version = ${FORMAT}`))
      if (!this.#files.hasReserve && !this.#files.makeReserve()) this.#shrink()
    } catch (reason) {
      if (!isFull(reason)) this.#failure = messageOf(reason)
    }
    return this.isWell ? undefined : RETRY_MS
  }

  /** Whether {@link recover} has nothing to do. */
  get isWell(): boolean {
    return this.#failure === undefined && this.#files.hasReserve && !this.#isDoubtful
  }

  /** Whether the files are in place and complete. */
  #isIntact(): boolean {
    if (this.#isCutShort || !this.#files.isInPlace) return false
    const shrunk = this.#files.findShrunk()
    this.#isCutShort = (shrunk.wal && !this.#hasWal()) || (shrunk.database && !this.#hasPages())
    return !this.#isCutShort
  }

  /** Whether SQLite still finds its frames in the WAL. Another program's checkpoint, such as Litestream's, also shortens it. */
  #hasWal(): boolean {
    try {
      this.#runCheckpoint('PASSIVE')
      return true
    } catch {
      return false
    }
  }

  /** Whether the file is large enough for its page count. A vacuum shortens the file and lowers the count too. */
  #hasPages(): boolean {
    const { page_count: pages } = this.#prepare('PRAGMA page_count').get() as { page_count: number }
    return this.#files.size >= pages * PAGE_SIZE
  }

  #run({ statements }: Plan): void {
    if (statements === '') return
    this.#transaction(() => {
      for (const { sql, values } of statementsOf(statements)) {
        // `all`, because a PRAGMA with rows completes only when they were all read.
        this.#prepare(sql).all(...values)
        this.#pages += 1
      }
    })
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
      this.#files.noteSizes()
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
    }
  }
}

const FULL = 'database or disk is full'

const messageOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))

/** Matches the message, because not every runtime gives SQLite's code. */
const isFull = (reason: unknown) => messageOf(reason).includes(FULL)
