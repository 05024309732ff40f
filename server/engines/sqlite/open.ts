import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../jobs/engine.ts'
import { replacedMarkOf, reserveOf, rewrite } from './files.ts'
import { APPLICATION_ID, FORMAT, migrate } from './format.ts'
import { discardDraft, finishReplacement } from './replacement.ts'
import { pagesInWal } from './wal-index.ts'

/** How long a commit waits for another program's lock on the file, such as a backup's: milliseconds. */
const BUSY_MS = 5_000
/** The same for readers: milliseconds. Short, because it blocks the event loop; readers wait only while the WAL is recovered. */
const READER_BUSY_MS = 20

/** Mode of new files. */
const OWNER_ONLY = 0o600
/** The start of every SQLite file (sqlite.org/fileformat2.html, 1.3). */
const MAGIC = 'SQLite format 3\0'
const HEAD_BYTES = 100
const SCHEMA_COOKIE_AT = 40
const PAGE_SIZE_AT = 16
const PAGE_COUNT_AT = 28
const USER_VERSION_AT = 60
const APPLICATION_ID_AT = 68
/** Largest file that is checked page by page when opened: bytes. */
const CHECKED_BYTES = 128 * 1024 * 1024
/** Suffixes of the files beside a database. */
const BESIDE = ['-lock', '-reserve', '-wal', '-shm', '-journal', '-restored', '-restore-ready']
/** The format with a redo log of its own, which later formats can't read. */
const UNCLEAN_FORMAT = 2

/** A database that only this process writes. */
export interface OwnedDatabase {
  readonly db: DatabaseSync
  /** Its path, symbolic links resolved. */
  readonly file: string
  close(): void
}

/**
 * Opens a database for writing by this process only. Creates the file and its folder if missing; does not touch another program's file.
 *
 * @param name what errors call the file
 * @throws {EngineOpenError}
 */
export function openDatabase(path: string, name = path): OwnedDatabase {
  const lock = lockFile(path)
  try {
    discardDraft(lock.file)
    finishReplacement(lock.file)
    refuseForeignWal(name, lock.file)
    rmSync(replacedMarkOf(lock.file), { force: true })
    inspect(name, lock.file)
    rewriteWal(lock.file)
    const db = openInRoom(name, lock.file)
    return {
      db,
      file: lock.file,
      close() {
        db.close()
        lock.close()
      },
    }
  } catch (error) {
    lock.discard()
    throw openError(name, error)
  }
}

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

/** Opens a read-only connection. @param file as returned by {@link openDatabase} */
export function openReader(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true })
  db.exec(`PRAGMA busy_timeout = ${READER_BUSY_MS}`)
  return db
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

/**
 * Refuses another program's file by its header bytes, which hold the application id from the first commit on, whatever the WAL contains.
 * Opening the file with SQLite could already write to it.
 */
function inspect(path: string, file: string): void {
  const head = new Uint8Array(HEAD_BYTES)
  // Safe to open and close here: our lock shows that no engine in this process has the file open.
  // Read-write, so that a read-only file fails now: SQLite would open it and leave files beside it.
  const fd = openSync(file, 'r+')
  const length = readSync(fd, head)
  closeSync(fd)
  // An empty file, or a power cut during the first commit, which leaves a journal: SQLite then rolls back to an empty file.
  if (length === 0 || (existsSync(`${file}-journal`) && head.every((byte) => byte === 0))) return
  const isSqlite = length === HEAD_BYTES && new TextDecoder().decode(head.subarray(0, MAGIC.length)) === MAGIC
  if (!isSqlite) throw new EngineOpenError(`${path} is not a SQLite file: name another file, or move this one away.`)
  const view = new DataView(head.buffer)
  // A journal may mean an interrupted first commit, which SQLite rolls back.
  if (!existsSync(`${file}-journal`) && lacksPages(file, view)) throw damaged(path, 'it is truncated')
  const applicationId = view.getUint32(APPLICATION_ID_AT)
  // `auto_vacuum` is committed before the first table. A process killed in between leaves a file without data.
  const hasTables = view.getUint32(SCHEMA_COOKIE_AT) !== 0 || existsSync(`${file}-wal`)
  if (applicationId === 0 && !hasTables) return
  checkFormat(path, applicationId, view.getUint32(USER_VERSION_AT))
}

/** Whether pages are neither in the file nor in its WAL. After an interrupted checkpoint the file may lack those in the WAL. */
function lacksPages(file: string, head: DataView): boolean {
  const { pages, count = head.getUint32(PAGE_COUNT_AT) } = pagesInWal(file)
  const whole = Math.floor(statSync(file).size / (head.getUint16(PAGE_SIZE_AT) || 65_536))
  for (let page = whole + 1; page <= count; page++) if (!pages.has(page)) return true
  return false
}

/**
 * Writes the WAL over itself and syncs it. A process killed after a failed sync leaves commits in the page cache that the kernel treats as
 * clean, so no later sync would write them, and a power cut would lose them together with all commits that follow.
 */
function rewriteWal(file: string): void {
  const wal = `${file}-wal`
  if (!existsSync(wal)) return
  const fd = openSync(wal, 'r+')
  try {
    rewrite(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Refuses a database that was replaced while a server had it open: SQLite would apply the WAL of the file before to it.
 *
 * @throws {EngineOpenError}
 */
export function refuseForeignWal(path: string, file: string): void {
  if (!existsSync(replacedMarkOf(file)) || !statSync(`${file}-wal`, { throwIfNoEntry: false })?.size) return
  throw new EngineOpenError(
    `${path} was replaced while a server had it open, and ${path}-wal belongs to the file before. To go on with ${path} as it is, delete ${path}-wal and ${path}-shm; "milepost restore" does that too. If the file before is back, delete ${path}-replaced.`,
  )
}

/** On a full disk, opens the file in the space of an earlier process's reserve: even reads need space for the WAL index. */
function openInRoom(path: string, file: string): DatabaseSync {
  try {
    return open(path, file)
  } catch (error) {
    if (!existsSync(reserveOf(file)) || !isFullDisk(error)) throw error
    rmSync(reserveOf(file))
    return open(path, file)
  }
}

function open(path: string, file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  try {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0`)
    // Takes effect only in a new file, but would write to any. It lets `shrink` return free pages to the disk.
    if (pragma(db, 'schema_version') === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
    db.exec('BEGIN EXCLUSIVE')
    // Checked again: newer values may be in the WAL, and SQLite has emptied a file whose first commit was interrupted.
    const isNew = pragma(db, 'schema_version') === 0
    const format = isNew ? 0 : pragma(db, 'user_version')
    if (!isNew) {
      checkFormat(path, pragma(db, 'application_id'), format)
      checkPages(path, db)
    }
    if (format < FORMAT) {
      if (format === UNCLEAN_FORMAT && hasRows(db, 'log'))
        throw new EngineOpenError(
          `${path} was written by an older Milepost that was killed: start and stop that version once more, then this one.`,
        )
      migrate(db, format)
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`)
    }
    checkTables(path, db)
    // WAL mode only after the first commit, so that the file itself has the application id.
    db.exec('COMMIT; PRAGMA journal_mode = WAL')
    // The first read creates the WAL file. If it is missing later, someone removed it.
    db.prepare('SELECT 1 FROM jobs LIMIT 1').get()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const damaged = (path: string, how: string) =>
  new EngineOpenError(`${path} is damaged (${how}): move it and the files beside it away, then restore a backup.`)

/** Runs `quick_check` on files where it takes less than about a second. */
function checkPages(path: string, db: DatabaseSync): void {
  const size = pragma(db, 'page_count') * pragma(db, 'page_size')
  if (size > CHECKED_BYTES) return
  const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
  if (found.quick_check !== 'ok') throw damaged(path, found.quick_check)
}

/** Refuses a file that lacks a table or an index. */
function checkTables(path: string, db: DatabaseSync): void {
  const whole = new DatabaseSync(':memory:')
  migrate(whole, 0)
  const wanted = namesIn(whole)
  whole.close()
  const found = new Set(namesIn(db))
  const missing = wanted.find((name) => !found.has(name))
  if (missing !== undefined) throw damaged(path, `it has no ${missing}`)
}

function namesIn(db: DatabaseSync): string[] {
  const rows = db.prepare("SELECT type || ' ' || name AS name FROM sqlite_schema WHERE sql IS NOT NULL").all()
  return (rows as { name: string }[]).map(({ name }) => name)
}

function checkFormat(path: string, applicationId: number, format: number): void {
  if (applicationId !== APPLICATION_ID)
    throw new EngineOpenError(`${path} is a SQLite file of another program: name another file.`)
  if (format > FORMAT)
    throw new EngineOpenError(
      `${path} was written by a newer Milepost (format ${format}, this one knows ${FORMAT}): run that one, or name another file.`,
    )
}

function pragma(
  db: DatabaseSync,
  name: 'application_id' | 'page_count' | 'page_size' | 'schema_version' | 'user_version',
): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
}

const hasRows = (db: DatabaseSync, table: string) => db.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() !== undefined

/** Whether an error of SQLite or the runtime, or a sentence about one, means a full disk. */
export const isFullDisk = (error: unknown): boolean => /disk is full|ENOSPC/.test(String(error))

/** An error of SQLite or the runtime as a sentence for the operator. Matches messages, because not every runtime gives error codes. */
export function openError(path: string, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new EngineOpenError(sentenceFor(path, reason), { cause: error })
}

function sentenceFor(path: string, reason: string): string {
  if (reason.includes('database is locked'))
    return `${path} is in use by another process: stop that one, or name another file.`
  if (reason.includes('malformed') || reason.includes('file is not a database')) return damaged(path, reason).message
  if (isFullDisk(reason)) return `${path} can't be opened because the disk is full: free some space, then start again.`
  return `${path} can't be opened (${reason}): ${remedyFor(reason)}.`
}

function remedyFor(reason: string): string {
  if (reason.startsWith('ENOTDIR')) return 'a part of the path is a file, not a folder. Name a file in a folder'
  if (reason.startsWith('EEXIST') && reason.includes('mkdir'))
    return 'its folder is a file or a broken link. Name a file in a folder'
  if (reason.startsWith('ENOENT'))
    return 'a folder on the path does not exist, or a link leads nowhere. Make that folder, or name another file'
  if (reason.startsWith('ELOOP')) return 'a link on the path leads back to itself. Name another file'
  return 'give this user permission to read and write the file and its folder'
}
