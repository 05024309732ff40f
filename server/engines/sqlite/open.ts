import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../jobs/engine.ts'
import { reserveOf, rewrite } from './files.ts'
import { APPLICATION_ID, FORMAT, migrate } from './format.ts'

/** How long a commit waits for another program that has the file locked, such as a backup: milliseconds. */
const BUSY_MS = 5_000
/** How long a reader waits: milliseconds. It is in the event loop's way, and waits for recoveries of the file alone. */
const READER_BUSY_MS = 20

/** Permissions of new files: documents are their owner's business. */
const OWNER_ONLY = 0o600
/** The start of every SQLite file (sqlite.org/fileformat2.html, 1.3). */
const MAGIC = 'SQLite format 3\0'
const HEAD_BYTES = 100
const SCHEMA_COOKIE_AT = 40
const PAGE_SIZE_AT = 16
const PAGE_COUNT_AT = 28
const USER_VERSION_AT = 60
const APPLICATION_ID_AT = 68
/** The largest file that is looked through before it is opened: bytes. */
const CHECKED_BYTES = 128 * 1024 * 1024
/** The files that there are beside a database. */
const BESIDE = ['-lock', '-reserve', '-wal', '-shm', '-journal']
/** The format that had a redo log of its own, which no other can read. */
const UNCLEAN_FORMAT = 2

/** A file that this process alone writes. */
export interface OwnedDatabase {
  readonly db: DatabaseSync
  /** Where it is, links followed. */
  readonly file: string
  close(): void
}

/**
 * Opens a file to be written by this process alone, and makes it when there is none, its folder too. A file that isn't Milepost's is left
 * as it is.
 *
 * @throws {EngineOpenError}
 */
export function openDatabase(path: string): OwnedDatabase {
  const lock = lockFile(path)
  try {
    inspect(path, lock.file)
    rewriteLog(lock.file)
    const db = openInRoom(path, lock.file)
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
    throw openError(path, error)
  }
}

/** A file that no other server has, whatever is in it. */
interface Lock {
  file: string
  close(): void
  /** Closes it, and leaves nothing beside a file that was not opened. */
  discard(): void
}

/** Keeps a file, or the place for one, to this process. @throws {EngineOpenError} */
export function lockFile(path: string): Lock {
  try {
    const file = locate(path)
    return { file, ...takeLock(file) }
  } catch (error) {
    throw openError(path, error)
  }
}

/** A connection that reads what has been committed. @param file as {@link openDatabase} names it */
export function openReader(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true })
  db.exec(`PRAGMA busy_timeout = ${READER_BUSY_MS}`)
  return db
}

/** Where the file really is. A new one is made, empty, for this user alone; SQLite gives the files beside it the same permissions. */
function locate(path: string): string {
  const wanted = resolve(path)
  const found = statSync(wanted, { throwIfNoEntry: false })
  if (found?.isDirectory())
    throw new EngineOpenError(`${path} is a directory: name a file, such as ${join(path, 'milepost.db')}.`)
  if (found && !found.isFile()) throw new EngineOpenError(`${path} is not a file: name one, or a new one.`)
  // Each name would have a log and a lock of its own.
  if (found && found.nlink > 1)
    throw new EngineOpenError(
      `${path} has another name too (a hard link), by which another server may write it: remove that name, or use a copy.`,
    )
  if (!found) {
    if (statSync(`${wanted}-wal`, { throwIfNoEntry: false })?.size)
      throw new EngineOpenError(
        `${path} is not there, but its write-ahead log ${path}-wal is: put the database back beside it, or move the log away.`,
      )
    mkdirSync(dirname(wanted), { recursive: true })
    closeSync(openSync(wanted, 'a', OWNER_ONLY))
  }
  const file = realpathSync(wanted)
  for (const suffix of BESIDE) {
    const beside = statSync(file + suffix, { throwIfNoEntry: false })
    if (beside && !beside.isFile())
      throw new EngineOpenError(`${path}${suffix} is not a file, and Milepost keeps one there: move it away.`)
  }
  return file
}

/**
 * Keeps other servers off the file. The lock is on a file beside it, so that programs that only read, such as a backup, are free to; it is
 * SQLite's own, which ends with the process, however it ends.
 */
function takeLock(file: string): { close(): void; discard(): void } {
  const name = `${file}-lock`
  const isNew = !existsSync(name)
  // One that is there is left to SQLite: to close it by hand would end the lock of an engine in this very process
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
 * Refuses a file of another program. By its first bytes: they say whose it is from the first commit on, whatever the write-ahead log
 * holds, and SQLite itself would write to the file.
 */
function inspect(path: string, file: string): void {
  const head = new Uint8Array(HEAD_BYTES)
  // By hand, for the lock says that no engine in this process has it open.
  // For writing too: SQLite opens a file that is read-only all the same, and leaves others beside it.
  const fd = openSync(file, 'r+')
  const length = readSync(fd, head)
  closeSync(fd)
  // Nothing was written yet, or a power cut left the file before its first commit: the journal says so, and SQLite empties the file.
  if (length === 0 || (existsSync(`${file}-journal`) && head.every((byte) => byte === 0))) return
  const isSqlite = length === HEAD_BYTES && new TextDecoder().decode(head.subarray(0, MAGIC.length)) === MAGIC
  if (!isSqlite) throw new EngineOpenError(`${path} is not a SQLite file: name another file, or move this one away.`)
  const view = new DataView(head.buffer)
  const size = statSync(file).size
  // With a log the file may be in the middle of a checkpoint, with a journal of its first commit; without, it has all of its pages.
  const isSettled = !existsSync(`${file}-wal`) && !existsSync(`${file}-journal`)
  if (isSettled && size < view.getUint32(PAGE_COUNT_AT) * (view.getUint16(PAGE_SIZE_AT) || 65_536))
    throw damaged(path, 'it was cut short')
  const applicationId = view.getUint32(APPLICATION_ID_AT)
  // `auto_vacuum` is written by itself, before there is a table. Whoever was stopped then left nothing of anybody's.
  const hasTables = view.getUint32(SCHEMA_COOKIE_AT) !== 0 || existsSync(`${file}-wal`)
  if (applicationId === 0 && !hasTables) return
  checkFormat(path, applicationId, view.getUint32(USER_VERSION_AT))
}

/**
 * Writes the write-ahead log over itself and syncs it. A process that was killed after a sync failed leaves commits in the page cache that
 * the kernel takes for written, so that no later sync would put them on the disk: what is then built on them would be lost with them.
 */
function rewriteLog(file: string): void {
  const log = `${file}-wal`
  if (!existsSync(log)) return
  const fd = openSync(log, 'r+')
  try {
    rewrite(fd)
  } finally {
    closeSync(fd)
  }
}

/** On a full disk with the room that an earlier process kept: even to be read a file needs some beside it. */
function openInRoom(path: string, file: string): DatabaseSync {
  try {
    return open(path, file)
  } catch (error) {
    if (!existsSync(reserveOf(file)) || !/disk is full|ENOSPC/.test(String(error))) throw error
    rmSync(reserveOf(file))
    return open(path, file)
  }
}

function open(path: string, file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  try {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0`)
    // Counts for a new file alone, and would write to any: what is deleted can be given back to the disk.
    if (pragma(db, 'schema_version') === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
    db.exec('BEGIN EXCLUSIVE')
    // Asked again: the newest may be in the write-ahead log. A file whose maker was killed is empty by now.
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
    // Only now the write-ahead log, so that the file itself says whose it is from its first bytes on.
    db.exec('COMMIT; PRAGMA journal_mode = WAL')
    // The first read makes the log, whose absence then means that someone has removed it.
    db.prepare('SELECT 1 FROM jobs LIMIT 1').get()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const damaged = (path: string, how: string) =>
  new EngineOpenError(`${path} is damaged (${how}): move it and the files beside it away, then restore a backup.`)

/** Has SQLite look at every page, in files that this takes less than about a second for. */
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

/** What SQLite or the runtime says, as a sentence. By its text: not every runtime gives an error code. */
export function openError(path: string, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new EngineOpenError(sentenceFor(path, reason), { cause: error })
}

function sentenceFor(path: string, reason: string): string {
  if (reason.includes('database is locked'))
    return `${path} is in use by another process: stop that one, or name another file.`
  if (reason.includes('malformed') || reason.includes('file is not a database')) return damaged(path, reason).message
  if (reason.includes('ENOSPC') || reason.includes('disk is full'))
    return `${path} can't be opened, for the disk is full: make room, and start again.`
  return `${path} can't be opened (${reason}): ${remedyFor(reason)}.`
}

function remedyFor(reason: string): string {
  if (reason.startsWith('ENOTDIR')) return 'a part of the path is a file, not a folder. Name a file in a folder'
  if (reason.startsWith('EEXIST') && reason.includes('mkdir'))
    return 'its folder is a file or a broken link. Name a file in a folder'
  if (reason.startsWith('ENOENT'))
    return 'a folder on the path does not exist, or a link leads nowhere. Make that folder, or name another file'
  if (reason.startsWith('ELOOP')) return 'a link on the path leads back to itself. Name another file'
  return 'see to it that this user may read and write the file and its folder'
}
