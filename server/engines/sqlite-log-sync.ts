import { closeSync, fdatasync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'

/**
 * Waits for the disk to have what was committed, as SQLite does by itself with `synchronous=FULL`, but with nothing else held up meanwhile.
 *
 * A commit appends to the write-ahead log; with `synchronous=NORMAL` SQLite syncs it only before it moves it into the database file
 * (sqlite.org/pragma.html#pragma_synchronous). So it is enough to sync the log once after a commit: a power cut then leaves what FULL would.
 */
export class LogSync {
  readonly #db: DatabaseSync
  #log: number | undefined
  /** A failed sync may have been told only once, and its pages be taken for written since: the log is no proof any more. */
  #isDoubtful = false

  /** @param db in WAL mode, and in no other process */
  constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** Resolves once a power cut leaves all that is committed by now. @throws Error of the disk */
  async sync(): Promise<void> {
    if (this.#isDoubtful) this.#moveIntoFile()
    else await this.#syncLog()
  }

  close(): void {
    if (this.#log !== undefined) closeSync(this.#log)
    this.#log = undefined
  }

  #syncLog(): Promise<void> {
    // Opened at the first commit, which makes it. SQLite keeps it as long as it is open, and has its locks on other files.
    this.#log ??= openSync(`${this.#path}-wal`, 'r+')
    const log = this.#log
    return new Promise((resolve, reject) => {
      fdatasync(log, (error) => {
        if (!error) return resolve()
        this.#isDoubtful = true
        this.close()
        reject(error)
      })
    })
  }

  /** Writes all that the log has to the file, whose own sync then decides. */
  #moveIntoFile(): void {
    const moved = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    if (moved.busy !== 0) throw new Error('The log could not be moved into the file')
    this.#isDoubtful = false
  }

  /** As SQLite names it: links are followed. */
  get #path(): string {
    return (this.#db.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get() as { file: string })
      .file
  }
}
