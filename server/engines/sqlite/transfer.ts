import type { Page, StoredJob } from '../../jobs/engine.ts'
import type { ExpiringNote, JobRecord, Transfer } from '../../jobs/transfer.ts'
import type { Database, Statement } from './database.ts'
import type { SqliteStore } from './store.ts'
import type { Request } from './task.ts'

/** All of a SQLite file. The lock on the file keeps servers away. */
export class SqliteTransfer implements Transfer {
  readonly #db: Database
  readonly #store: SqliteStore
  readonly #notes: Statement
  readonly #submit: <T>(request: Request<T>) => Promise<T>
  readonly #read: <T>(read: () => T) => Promise<T>

  /** @param read runs a read, and converts its failure to a problem */
  constructor(
    db: Database,
    store: SqliteStore,
    submit: <T>(request: Request<T>) => Promise<T>,
    read: <T>(read: () => T) => Promise<T>,
  ) {
    this.#db = db
    this.#store = store
    // The note without a slash in its key is the mark of this file's last run.
    this.#notes = db.prepare("SELECT key, text, until FROM notes WHERE key > ? AND key LIKE '%/%' ORDER BY key LIMIT ?")
    this.#submit = submit
    this.#read = read
  }

  countJobs(): Promise<number> {
    return this.#read(() => this.#store.countJobs())
  }

  listIds({ cursor = '-1', limit }: Parameters<Transfer['listIds']>[0]): Promise<Page<string>> {
    return this.#read(() => {
      const found = this.#store.idsAfter(Number(cursor), limit)
      const rows = found.map(({ id }) => id)
      return found.length < limit ? { rows } : { rows, nextCursor: `${found.at(-1)?.seq}` }
    })
  }

  readRecord(id: string): Promise<JobRecord | undefined> {
    return this.#read(() => {
      // One snapshot of head, rows and keys.
      this.#db.exec('BEGIN')
      try {
        const entry = this.#store.find(id)
        if (!entry) return undefined
        const { header, marks } = entry.job
        const rows = [...this.#store.changedSince(entry, 0)]
        return { header, marks, place: entry.seq, rows, keys: this.#store.keysOf(entry) }
      } finally {
        this.#db.exec('COMMIT')
      }
    })
  }

  writeRecord(record: JobRecord, over?: StoredJob): Promise<boolean> {
    return this.#submit({ weight: record.rows.length + 1, decide: (group) => group.restore(record, over) })
  }

  listNotes({ after, limit }: Parameters<Transfer['listNotes']>[0]): Promise<ExpiringNote[]> {
    return this.#read(() => {
      const rows = this.#notes.all(after, limit) as ExpiringNote[]
      return rows.map(({ key, text, until }) => ({ key, text: JSON.parse(text), until }))
    })
  }
}
