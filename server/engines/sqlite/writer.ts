import type { DatabaseSync } from 'node:sqlite'
import type { Statement } from './database.ts'
import type { DatabaseFiles } from './files.ts'
import { FORMAT } from './format.ts'
import { type CommitResult, MOVED, type Plan, statementsOf } from './plan.ts'

/** How long after a failure the disk is tried again, though nobody asks: milliseconds. */
const RETRY_MS = 1_000

/** Pages of the write-ahead log from which on it is moved into the file: SQLite's own default. */
const CHECKPOINT_PAGES = 1_000
/** SQLite's own default: bytes. */
const PAGE_SIZE = 4_096

/**
 * The one writer of a file, in a thread that may wait for the disk.
 *
 * SQLite syncs the write-ahead log before a commit is done (`synchronous=FULL`), and only then lets readers see it. A commit whose sync
 * fails is rolled back, and the next one is written over it: so nobody is told of anything that a power cut can undo. Only who asked for
 * it does not know the outcome, since a power cut may leave it on the disk.
 */
export class Writer {
  readonly #db: DatabaseSync
  readonly #files: DatabaseFiles
  readonly #statements = new Map<string, Statement>()
  /** Why the last commit failed, until one succeeds. */
  #failure: string | undefined
  /** About how many pages the write-ahead log has that are not in the file. */
  #pages = 0
  /** A checkpoint failed, and what it wrote may not be on the disk though a later sync succeeds. */
  #isDoubtful = false
  /** Another program has cut a file short: what this process knows of it is not there any more. */
  #isCutShort = false

  constructor(db: DatabaseSync, files: DatabaseFiles) {
    this.#db = db
    this.#files = files
  }

  /** Makes a transaction. One without statements writes nothing, and fails only when the file is gone. */
  commit(plan: Plan): CommitResult {
    if (!this.#isIntact()) return { failed: MOVED }
    // Until there is room for removals again, nothing else may have what they made.
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
   * Moves the write-ahead log into the file, once it is long.
   *
   * Not by SQLite's own counting, which takes no note of a failure: pages that an earlier checkpoint wrote and did not sync would then be
   * lost, since the next one writes only those after them.
   */
  checkpoint(): void {
    if (this.#isDoubtful || this.#pages < CHECKPOINT_PAGES) return
    try {
      this.#moveLog('PASSIVE')
    } catch (reason) {
      if (!isFull(reason)) this.#failure = messageOf(reason)
    }
  }

  /** Whether the file must not be closed: that would delete the log, which the next start mends it from. */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  /** Whether commits succeed, as far as is known without writing. */
  check(): CommitResult {
    const failed = this.#isIntact() ? this.#failure : MOVED
    return failed === undefined ? {} : { failed }
  }

  /**
   * Tries a disk that failed again, and keeps room again where it was given away.
   *
   * @returns when to call it again: milliseconds from now; nothing when all is well
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

  /** Whether there is nothing for {@link recover} to do. */
  get isWell(): boolean {
    return this.#failure === undefined && this.#files.hasReserve && !this.#isDoubtful
  }

  /** Whether the files are where they were, and hold what was written to them. */
  #isIntact(): boolean {
    if (this.#isCutShort || !this.#files.isInPlace) return false
    const shrunk = this.#files.findShrunk()
    this.#isCutShort = (shrunk.log && !this.#hasLog()) || (shrunk.database && !this.#hasPages())
    return !this.#isCutShort
  }

  /** Whether SQLite finds what it has in the write-ahead log. Other programs may have moved that into the file, as Litestream does. */
  #hasLog(): boolean {
    try {
      this.#moveLog('PASSIVE')
      return true
    } catch {
      return false
    }
  }

  /** Whether the file has all pages that there are. One that was made smaller has fewer, and no more. */
  #hasPages(): boolean {
    const { page_count: pages } = this.#prepare('PRAGMA page_count').get() as { page_count: number }
    return this.#files.size >= pages * PAGE_SIZE
  }

  #run({ statements }: Plan): void {
    if (statements === '') return
    this.#transaction(() => {
      for (const { sql, values } of statementsOf(statements)) {
        // By `all`, since a PRAGMA that has rows is done only when all were read.
        this.#prepare(sql).all(...values)
        this.#pages += 1
      }
    })
    this.#pages += statements.length / PAGE_SIZE
  }

  /** Runs again, when the disk is full, with the room of the write-ahead log; and with what is kept, if the plan frees some. */
  #makeRoomFor({ frees }: Plan, run: () => void): void {
    const ways = [() => {}, () => this.#moveLog('TRUNCATE'), ...(frees ? [() => this.#giveReserve()] : [])]
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

  /** Into the file, so that its room is used again. */
  #moveLog(mode: 'PASSIVE' | 'TRUNCATE'): void {
    if (this.#isDoubtful) throw new Error('A checkpoint failed, and was not made good yet')
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
    this.#moveLog('TRUNCATE')
  }

  /** Gives what removals have freed back to the disk, for the reserve. */
  #shrink(): void {
    this.#transaction(() => this.#db.prepare('PRAGMA incremental_vacuum').all())
    this.#moveLog('TRUNCATE')
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
        // SQLite has rolled back by itself, as it does when the disk fails.
      }
      throw error
    }
  }
}

const FULL = 'database or disk is full'

const messageOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))

/** By its text: not every runtime gives SQLite's code. */
const isFull = (reason: unknown) => messageOf(reason).includes(FULL)
