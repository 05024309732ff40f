import type { Database, SqlValue } from '../sqlite/database.ts'
import type { StoredEntry } from '../sqlite/entry.ts'
import { FORMAT, migrate, type StoreScope } from '../sqlite/file/format.ts'
import { SqliteStore } from '../sqlite/store.ts'

const FORMAT_KEY = 'format'

/** Documents in an object's SQLite storage. Nothing is written before the first document, so an object that was only read costs nothing. */
export class ObjectStorage {
  readonly store: SqliteStore
  readonly #storage: DurableObjectStorage
  readonly #database: Database
  readonly #scope: StoreScope
  #format: number

  /**
   * @param scope whose documents the object holds
   * @throws Error when a newer Milepost wrote the storage
   */
  constructor(storage: DurableObjectStorage, scope: StoreScope) {
    this.#storage = storage
    this.#database = databaseOf(storage.sql)
    this.#scope = scope
    this.store = new SqliteStore(this.#database, undefined, { kept: scope === 'owner' })
    this.#format = storage.kv.get<number>(FORMAT_KEY) ?? 0
    if (this.#format > FORMAT) {
      throw new Error(
        `This object was written by a newer Milepost (format ${this.#format}, this one knows ${FORMAT}): deploy that one again.`,
      )
    }
    if (!this.isEmpty && this.#format < FORMAT) this.write(() => {})
  }

  get isEmpty(): boolean {
    return this.#format === 0
  }

  /** The document, in an object that holds one. */
  get first(): StoredEntry | undefined {
    if (this.isEmpty) return undefined
    const row = this.#database.prepare('SELECT id FROM jobs').get() as { id: string } | undefined
    return row && this.store.find(row.id)
  }

  /** Runs writes as one transaction. The runtime holds back the object's responses until it is on the disk. */
  write<T>(run: () => T): T {
    return this.#storage.transactionSync(() => {
      if (this.#format < FORMAT) {
        migrate(this.#database, this.#format, this.#scope)
        this.#storage.kv.put(FORMAT_KEY, FORMAT)
      }
      const answer = run()
      this.#format = FORMAT
      return answer
    })
  }

  /** Deletes the whole storage, so that the object costs nothing. */
  async clear(): Promise<void> {
    this.#format = 0
    await this.#storage.deleteAll()
  }
}

function databaseOf(sql: SqlStorage): Database {
  const query = (text: string, values: SqlValue[]) => sql.exec<Record<string, SqlStorageValue>>(text, ...values)
  return {
    exec: (text) => void sql.exec(text),
    prepare: (text) => ({
      get: (...values) => query(text, values).toArray()[0],
      all: (...values) => query(text, values).toArray(),
      run: (...values) => query(text, values),
    }),
  }
}
