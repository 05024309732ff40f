import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../jobs/engine.ts'
import { lockFile, openDatabase, openError } from './open.ts'

/**
 * Copies a database, while a server may write to it: as it is at one moment, in one file, for this user alone.
 *
 * @throws EngineOpenError
 */
export function backUp(path: string, target: string): void {
  if (!existsSync(path)) throw new EngineOpenError(`${path} is not there: set MILEPOST_ENGINE as for the server.`)
  if (existsSync(target)) throw new EngineOpenError(`${target} is there already: name a new file.`)
  try {
    closeSync(openSync(target, 'wx', 0o600))
    const db = new DatabaseSync(resolve(path), { readOnly: true })
    try {
      db.prepare('VACUUM INTO ?').run(resolve(target))
    } finally {
      db.close()
    }
    sync(target)
    sync(dirname(resolve(target)))
  } catch (error) {
    rmSync(target, { force: true })
    throw openError(path, error)
  }
}

/**
 * Puts a copy that {@link backUp} made in the place of a database that no server has open. What a killed server left beside it goes with it:
 * its write-ahead log would be taken for the copy's. All sessions end.
 *
 * @throws EngineOpenError
 */
export function restore(path: string, source: string): void {
  if (!existsSync(source)) throw new EngineOpenError(`${source} is not there: name a file that "milepost backup" made.`)
  if (statSync(source).size === 0)
    throw new EngineOpenError(`${source} is empty: name a file that "milepost backup" made.`)
  const lock = lockFile(path)
  const fresh = `${lock.file}-restored`
  try {
    copyFileSync(source, fresh)
    // A backup may be kept read-only.
    chmodSync(fresh, 0o600)
    // Refuses what is not a database of Milepost's, or of a newer one.
    const { db, close } = openDatabase(fresh)
    // Sessions that have ended since, and sign-in codes that were used, would be good again.
    db.exec('DELETE FROM notes')
    close()
    sync(fresh)
    for (const suffix of ['-wal', '-shm']) rmSync(lock.file + suffix, { force: true })
    renameSync(fresh, lock.file)
    sync(dirname(lock.file))
  } catch (error) {
    throw openError(source, error)
  } finally {
    for (const suffix of ['', '-lock', '-wal', '-shm']) rmSync(fresh + suffix, { force: true })
    lock.close()
  }
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  fsyncSync(fd)
  closeSync(fd)
}
