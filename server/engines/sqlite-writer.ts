import type { DatabaseSync } from 'node:sqlite'
import type { Statement } from './sqlite-database.ts'
import type { DatabaseFiles } from './sqlite-files.ts'
import { FORMAT } from './sqlite-format.ts'
import { MOVED, type Outcome, type Plan } from './sqlite-plan.ts'

/** How long after a failure the disk is tried again, though nobody asks: milliseconds. */
const RETRY_MS = 1_000

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
  #hasReserve = true

  constructor(db: DatabaseSync, files: DatabaseFiles) {
    this.#db = db
    this.#files = files
  }

  /** Makes a transaction. One without statements writes nothing, and fails only when the file is gone. */
  commit(plan: Plan): Outcome {
    try {
      this.#makeRoomFor(plan, () => this.#run(plan))
      return this.#files.isInPlace ? {} : { failed: MOVED }
    } catch (reason) {
      if (isFull(reason)) return { failed: messageOf(reason), isFull: true }
      this.#failure = messageOf(reason)
      return { failed: this.#files.isInPlace ? this.#failure : MOVED }
    }
  }

  /** Whether commits succeed, as far as is known without writing. */
  check(): Outcome {
    const failed = this.#files.isInPlace ? this.#failure : MOVED
    return failed === undefined ? {} : { failed }
  }

  /**
   * Tries a disk that failed again, and keeps room again where it was given away.
   *
   * @returns when to call it again: milliseconds from now; nothing when all is well
   */
  recover(): number | undefined {
    try {
      if (this.#failure !== undefined) this.#transaction(() => this.#db.exec(`PRAGMA user_version = ${FORMAT}`))
    } catch (reason) {
      this.#failure = messageOf(reason)
    }
    this.#hasReserve = this.#files.makeReserve()
    return this.isWell ? undefined : RETRY_MS
  }

  /** Whether there is nothing for {@link recover} to do. */
  get isWell(): boolean {
    return this.#failure === undefined && this.#hasReserve
  }

  #run({ texts, steps }: Plan): void {
    if (steps.length === 0) return
    const statements = texts.map((text) => this.#prepare(text))
    this.#transaction(() => {
      // By `all`, since a PRAGMA that has rows is done only when all were read.
      for (const [text, ...values] of steps) statements[text]?.all(...values)
    })
  }

  /** Runs again, when the disk is full, with the room of the write-ahead log; and with what is kept, if the plan frees some. */
  #makeRoomFor({ frees }: Plan, run: () => void): void {
    const ways = [() => {}, () => this.#moveLog(), ...(frees ? [() => this.#giveReserve()] : [])]
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
  #moveLog(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  #giveReserve(): void {
    this.#hasReserve = false
    this.#files.releaseReserve()
    this.#moveLog()
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

const messageOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason))

/** By its text: not every runtime gives SQLite's code. */
const isFull = (reason: unknown) => messageOf(reason).includes('database or disk is full')
