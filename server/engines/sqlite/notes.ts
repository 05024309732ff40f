import type { Note, Notes } from '../../jobs/engine.ts'
import type { Database, Statement } from './database.ts'
import type { Decided } from './group.ts'
import type { Write } from './store.ts'
import type { Request } from './task.ts'

/** Expired notes deleted with each write: more than one, so that a backlog shrinks. */
const CLEARED_AT_ONCE = 100

/** Changes to notes within one group: each request sees the effects of those before it. */
export class NoteDrafts {
  readonly #find: (key: string) => string | undefined
  /** Notes written or, as `undefined`, taken; by key. */
  readonly #changed = new Map<string, { text: string; until: number } | undefined>()
  #now: number | undefined

  /** @param find reads a committed note */
  constructor(find: (key: string) => string | undefined) {
    this.#find = find
  }

  put({ key, text }: Note, until: number, now: number): Decided<void> {
    this.#changed.set(key, { text, until })
    this.#now = now
    return { answer: undefined }
  }

  take(key: string): Decided<string | undefined> {
    const text = this.#changed.has(key) ? this.#changed.get(key)?.text : this.#find(key)
    if (text !== undefined) this.#changed.set(key, undefined)
    return { answer: text }
  }

  write(write: Write): void {
    const insert = 'INSERT OR REPLACE INTO notes (key, text, until) VALUES (?, ?, ?)'
    for (const [key, note] of this.#changed) {
      if (note) write(insert, key, JSON.stringify(note.text), note.until)
      else write('DELETE FROM notes WHERE key = ?', key)
    }
    const clear = 'DELETE FROM notes WHERE key IN (SELECT key FROM notes WHERE until <= ? ORDER BY until LIMIT ?)'
    if (this.#now !== undefined) write(clear, this.#now, CLEARED_AT_ONCE)
  }
}

/** Notes in the file: written in the same groups as documents, read through the read-only connection. */
export class SqliteNotes implements Notes {
  readonly #one: Statement
  readonly #page: Statement
  readonly #submit: <T>(request: Request<T>) => Promise<T>
  readonly #read: <T>(read: () => T) => Promise<T>

  /** @param read runs a read, and converts its failure to a problem */
  constructor(db: Database, submit: <T>(request: Request<T>) => Promise<T>, read: <T>(read: () => T) => Promise<T>) {
    this.#one = db.prepare('SELECT text FROM notes WHERE key = ?')
    this.#page = db.prepare('SELECT key, text FROM notes WHERE key > ? AND key < ? ORDER BY key LIMIT ?')
    this.#submit = submit
    this.#read = read
  }

  put(note: Note, until: number, now: number): Promise<void> {
    return this.#submit({ decide: ({ notes }) => notes.put(note, until, now) })
  }

  get(key: string): Promise<string | undefined> {
    return this.#read(() => this.find(key))
  }

  /** Succeeds on a full disk too, so that sessions can always be ended. */
  take(key: string): Promise<string | undefined> {
    return this.#submit({ decide: ({ notes }) => notes.take(key), frees: true })
  }

  list({ prefix, after = '', limit }: Parameters<Notes['list']>[0]): Promise<Note[]> {
    // "0" is the character after the slash that ends the prefix.
    const end = `${prefix.slice(0, -1)}0`
    return this.#read(() => {
      const rows = this.#page.all(after > prefix ? after : prefix, end, limit) as Note[]
      return rows.map(({ key, text }) => ({ key, text: JSON.parse(text) }))
    })
  }

  /** Reads a committed note. */
  find(key: string): string | undefined {
    const row = this.#one.get(key) as Note | undefined
    return row && JSON.parse(row.text)
  }
}
