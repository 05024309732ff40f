import { mkdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from './engine-open-error.ts'
import { APPLICATION_ID, FORMAT, migrate } from './sqlite-format.ts'
import { peek } from './sqlite-peek.ts'

/**
 * Opens a file for this process alone, and makes it when there is none, its folder too. A file that isn't Milepost's is left as it is.
 *
 * @throws {EngineOpenError}
 */
export function openDatabase(path: string): DatabaseSync {
  try {
    const file = resolve(path)
    inspect(path, file)
    return open(path, file)
  } catch (error) {
    throw openError(path, error)
  }
}

/** Throws unless there is a file of Milepost's, or room for one. */
function inspect(path: string, file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) mkdirSync(dirname(file), { recursive: true })
  else if (found.isDirectory())
    throw new EngineOpenError(`${path} is a directory: name a file, such as ${join(path, 'milepost.db')}.`)
  else if (!found.isFile()) throw new EngineOpenError(`${path} is not a file: name one, or a new one.`)
  else if (found.size > 0) peek(file, (db) => formatOf(db, path))
}

function open(path: string, file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  try {
    // Set before the log is touched, so that no process shares it and its index stays in this one's memory.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE')
    // Asked again: what was seen before the lock may have been old. A file whose maker was killed is empty by now.
    const format = pragma(db, 'schema_version') === 0 ? 0 : formatOf(db, path)
    if (format < FORMAT) {
      migrate(db, format)
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`)
    }
    // Only now the log, so that the file itself says whose it is from its first bytes on. Its commits are synced by `LogSync`.
    db.exec('COMMIT; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function formatOf(db: DatabaseSync, path: string): number {
  if (pragma(db, 'application_id') !== APPLICATION_ID)
    throw new EngineOpenError(`${path} is a SQLite file of another program: name another file.`)
  const format = pragma(db, 'user_version')
  if (format > FORMAT)
    throw new EngineOpenError(
      `${path} was written by a newer Milepost (format ${format}, this one knows ${FORMAT}): run that one, or name another file.`,
    )
  return format
}

function pragma(db: DatabaseSync, name: 'application_id' | 'schema_version' | 'user_version'): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
}

/** What SQLite says, as a sentence. By its text: not every runtime gives its error code. */
function openError(path: string, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const sentence = reason.includes('database is locked')
    ? `${path} is in use by another process: stop that one, or name another file.`
    : reason.includes('file is not a database')
      ? `${path} is not a SQLite file: name another file, or move this one away.`
      : `${path} can't be opened (${reason}): see to it that this user may read and write the file and its folder.`
  return new EngineOpenError(sentence, { cause: error })
}
