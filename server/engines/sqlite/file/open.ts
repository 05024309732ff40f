import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../../jobs/engine.ts'
import { replacedMarkOf, reserveOf, rewrite } from './database-files.ts'
import { APPLICATION_ID, FORMAT, migrate } from './format.ts'
import { lockFile } from './lock.ts'
import { damaged, isFullDisk, openError } from './open-error.ts'
import { discardDraft, finishReplacement, syncFolder } from './replacement.ts'
import { pagesInWal } from './wal-index.ts'

/** How long a commit waits for another program's lock on the file, such as a backup's: milliseconds. */
const BUSY_MS = 5_000
/** The same for readers: milliseconds. Short, because it blocks the event loop; readers wait only while the WAL is recovered. */
const READER_BUSY_MS = 20

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

/** Opens a read-only connection. @param file as returned by {@link openDatabase} */
export function openReader(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true })
  db.exec(`PRAGMA busy_timeout = ${READER_BUSY_MS}`)
  return db
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
    // SQLite ignores a failure of this sync. A power cut could then bring back the journal of an earlier commit, which SQLite would roll
    // back, or lose the name of the WAL.
    syncFolder(dirname(file))
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

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
