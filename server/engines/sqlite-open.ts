import { mkdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { EngineOpenError } from './engine-open-error.ts'
import { APPLICATION_ID, FORMAT, migrate } from './sqlite-format.ts'

/**
 * Opens a file for this process alone, and makes it when there is none, its folder too. A file that isn't Milepost's is left as it is.
 *
 * @throws {EngineOpenError}
 */
export function openDatabase(path: string): DatabaseSync {
  const file = resolve(path)
  const isNew = prepare(path, file)
  if (!isNew) inspect(path, file)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file)
    // Set before the log is touched, so that no process shares it and its index stays in this one's memory.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE')
    const format = isNew ? 0 : formatOf(db, path)
    if (format < FORMAT) migrate(db, format)
    db.exec('COMMIT; PRAGMA journal_mode = WAL')
    return db
  } catch (error) {
    db?.close()
    throw openError(path, error)
  }
}

/** Makes the folder. Answers whether the file is to be made. */
function prepare(path: string, file: string): boolean {
  try {
    const found = statSync(file, { throwIfNoEntry: false })
    if (found?.isDirectory())
      throw new EngineOpenError(`${path} is a directory: name a file, such as ${join(path, 'milepost.db')}.`)
    if (found && !found.isFile()) throw new EngineOpenError(`${path} is not a file: name one, or a new one.`)
    if (!found) mkdirSync(dirname(file), { recursive: true })
    return !found?.size
  } catch (error) {
    throw openError(path, error)
  }
}

/**
 * Throws unless a file is Milepost's and of a format that is known. Reads it as immutable: SQLite then takes no lock and makes no
 * file beside it. And it is SQLite that reads: to close a file by hand would give up the locks that this process has on it.
 */
function inspect(path: string, file: string): void {
  const url = pathToFileURL(file)
  url.searchParams.set('immutable', '1')
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(url, { readOnly: true })
    formatOf(db, path)
  } catch (error) {
    throw openError(path, error)
  } finally {
    db?.close()
  }
}

function formatOf(db: DatabaseSync, path: string): number {
  const pragma = (name: string) => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  if (pragma('application_id') !== APPLICATION_ID)
    throw new EngineOpenError(`${path} is a SQLite file of another program: name another file.`)
  const format = pragma('user_version')
  if (format > FORMAT)
    throw new EngineOpenError(
      `${path} was written by a newer Milepost (format ${format}, this one knows ${FORMAT}): run that one, or name another file.`,
    )
  return format
}

/** What SQLite says, as a sentence. By its text: not every runtime gives its error code. */
function openError(path: string, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const reason = error instanceof Error ? error.message : String(error)
  if (reason.includes('database is locked'))
    return new EngineOpenError(`${path} is in use by another process: stop that one, or name another file.`)
  if (reason.includes('file is not a database'))
    return new EngineOpenError(`${path} is not a SQLite file: name another file, or move this one away.`)
  return new EngineOpenError(
    `${path} can't be opened (${reason}): see to it that this user may read and write the file and its folder.`,
  )
}
