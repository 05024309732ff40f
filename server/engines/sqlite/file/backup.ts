import { chmodSync, closeSync, copyFileSync, existsSync, openSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngineOpenError } from '../../../jobs/engine.ts'
import { lockFile } from './lock.ts'
import { openDatabase, refuseForeignWal } from './open.ts'
import { isFullDisk, openError } from './open-error.ts'
import { discardDraft, draftFileOf, isBeingReplaced, replaceByDraft, syncPath } from './replacement.ts'

/**
 * Copies a consistent snapshot of a database, which a server may have open, to one new file with mode 0600.
 *
 * @throws EngineOpenError
 */
export function backUp(path: string, target: string): void {
  if (!existsSync(path)) throw new EngineOpenError(`${path} does not exist: set MILEPOST_ENGINE as for the server.`)
  const file = realpathSync(path)
  // An interrupted restore may already have deleted the WAL of the old database.
  if (isBeingReplaced(file))
    throw new EngineOpenError(
      `A restore of ${path} was interrupted: start the server, which finishes it, or restore again.`,
    )
  refuseForeignWal(path, file)
  createFile(target)
  try {
    const db = new DatabaseSync(resolve(path), { readOnly: true })
    try {
      db.prepare('VACUUM INTO ?').run(resolve(target))
    } finally {
      db.close()
    }
    syncPath(target)
    syncPath(dirname(resolve(target)))
  } catch (error) {
    rmSync(target, { force: true })
    throw copyError(path, target, error)
  }
}

/** Creates a file that only its owner can read. @throws EngineOpenError also for a link that leads nowhere */
function createFile(target: string): void {
  try {
    closeSync(openSync(target, 'wx', 0o600))
  } catch (error) {
    if (String(error).includes('EEXIST')) throw new EngineOpenError(`${target} already exists: name a new file.`)
    throw copyError(target, target, error)
  }
}

/** Why a copy failed: the target if the disk is full, otherwise the source. */
function copyError(source: string, target: string, error: unknown): EngineOpenError {
  if (!isFullDisk(error)) return openError(source, error)
  const sentence = `${target} can't be written because the disk is full: free some space, then try again.`
  return new EngineOpenError(sentence, { cause: error })
}

/**
 * Replaces a database that no server has open by a copy from {@link backUp}. Deletes the old WAL, which SQLite would apply to the copy.
 * Ends all sessions. A crash at any moment leaves the old database or the new one, whole.
 *
 * @throws EngineOpenError
 */
export function restore(path: string, source: string): void {
  if (!existsSync(source)) throw new EngineOpenError(`${source} does not exist: name a file of "milepost backup".`)
  if (statSync(source).size === 0) throw new EngineOpenError(`${source} is empty: name a file of "milepost backup".`)
  const lock = lockFile(path)
  const draft = draftFileOf(lock.file)
  try {
    // A restore that was killed may have left a WAL, which SQLite would apply to this copy.
    discardDraft(lock.file)
    copyFileSync(source, draft)
    // A backup may be kept read-only.
    chmodSync(draft, 0o600)
    // Refuses the database of another program or of a newer Milepost.
    const { db, close } = openDatabase(draft, source)
    // Otherwise sessions ended and sign-in codes used after the backup would be valid again.
    db.exec('DELETE FROM notes')
    close()
    syncPath(draft)
    replaceByDraft(lock.file)
  } catch (error) {
    throw copyError(source, path, error)
  } finally {
    discardDraft(lock.file)
    lock.close()
  }
}
