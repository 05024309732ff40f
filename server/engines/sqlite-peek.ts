import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/**
 * Looks into a SQLite file.
 *
 * By SQLite, for a process that closes a file by hand gives up the locks that it has on it (sqlite.org/howtocorrupt.html, 2.2). And as
 * immutable: SQLite then takes no lock and makes no file beside it.
 */
export function peek<T>(file: string, look: (db: DatabaseSync) => T): T {
  const db = openImmutable(file)
  try {
    return look(db)
  } finally {
    db.close()
  }
}

function openImmutable(file: string): DatabaseSync {
  const url = pathToFileURL(file)
  url.searchParams.set('immutable', '1')
  try {
    return new DatabaseSync(url, { readOnly: true })
  } catch {
    // Deno (2.9.5) asks whether there is leave to read a path that is spelt like the URL. Read-only is the most that it can be there.
    const db = new DatabaseSync(file, { readOnly: true })
    // There it would wait for whoever holds the file.
    db.exec('PRAGMA busy_timeout = 0')
    return db
  }
}
