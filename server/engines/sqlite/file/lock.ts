import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../../jobs/engine.ts'
import { openError } from './open-error.ts'

/** Mode of new files. */
const OWNER_ONLY = 0o600
/** Suffixes of the files beside a database. */
const BESIDE = ['-lock', '-reserve', '-wal', '-shm', '-journal', '-restored', '-restore-ready']

/** An exclusive lock on a path, whatever the file contains. */
interface Lock {
  file: string
  close(): void
  /** Releases the lock after a failed opening, and deletes the lock file if this lock created it. */
  discard(): void
}

/** Locks a database file, or the path of a new one, against other servers. @throws {EngineOpenError} */
export function lockFile(path: string): Lock {
  try {
    const file = locate(path)
    return { file, ...takeLock(file) }
  } catch (error) {
    throw openError(path, error)
  }
}

/** The real path of the file. Creates a missing file, empty and with mode 0600; SQLite gives the files beside it the same mode. */
function locate(path: string): string {
  const wanted = resolve(path)
  const found = statSync(wanted, { throwIfNoEntry: false })
  if (found?.isDirectory())
    throw new EngineOpenError(`${path} is a directory: name a file, such as ${join(path, 'milepost.db')}.`)
  if (found && !found.isFile()) throw new EngineOpenError(`${path} is not a file: name one, or a new one.`)
  // Each hard link would have its own WAL and lock. SQLite has no lock on the file itself that would exclude a server and let programs read.
  if (found && found.nlink > 1)
    throw new EngineOpenError(
      `${path} has a second hard link, through which another server could write it: remove that link, or give ${path} a file of its own: cp -p ${path} ${path}.new && mv ${path}.new ${path}`,
    )
  if (!found) {
    if (statSync(`${wanted}-wal`, { throwIfNoEntry: false })?.size)
      throw new EngineOpenError(
        `${path} is missing, but its write-ahead log ${path}-wal exists: put the database back beside it, or move the -wal file away.`,
      )
    mkdirSync(dirname(wanted), { recursive: true })
    closeSync(openSync(wanted, 'a', OWNER_ONLY))
  }
  const file = realpathSync(wanted)
  for (const suffix of BESIDE) {
    const beside = statSync(file + suffix, { throwIfNoEntry: false })
    if (beside && !beside.isFile())
      throw new EngineOpenError(`${path}${suffix} is not a file, but Milepost needs a file there: move it away.`)
  }
  return file
}

/**
 * Locks other servers out. The lock is on a separate file, so that programs that only read, such as backups, still can. It is SQLite's own
 * lock, which the kernel releases when the process ends, however it ends.
 */
function takeLock(file: string): { close(): void; discard(): void } {
  const name = `${file}-lock`
  const isNew = !existsSync(name)
  // Only SQLite may open and close an existing lock file: closing it here would release the lock of another engine in this process
  // (sqlite.org/howtocorrupt.html, 2.2).
  if (isNew) closeSync(openSync(name, 'a', OWNER_ONLY))
  const db = new DatabaseSync(name)
  try {
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw error
  }
  return {
    close: () => db.close(),
    discard() {
      if (isNew) rmSync(name)
      db.close()
    },
  }
}
