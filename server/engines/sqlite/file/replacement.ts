import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'

/** Files that belong to one database file, and would damage another. */
const LOGS = ['-wal', '-shm', '-journal', '-replaced']

/** Path at which a copy is prepared. A killed restore may leave it incomplete. */
export const draftFileOf = (file: string): string => `${file}-restored`

/** Path of a complete copy that is about to replace the database. */
const readyOf = (file: string): string => `${file}-restore-ready`

/** Whether a restore was interrupted after its decision: {@link finishReplacement} completes it. */
export const isBeingReplaced = (file: string): boolean => existsSync(readyOf(file))

/**
 * Replaces a database by its draft, which must be complete and synced. A crash at any moment leaves the old database with its WAL, or a
 * replacement that the next start finishes. The caller holds the lock.
 */
export function replaceByDraft(file: string): void {
  renameSync(draftFileOf(file), readyOf(file))
  syncPath(dirname(file))
  finishReplacement(file)
}

/** Deletes a draft, whole or not, and the files beside it. */
export function discardDraft(file: string): void {
  for (const suffix of ['', '-lock', ...LOGS]) rmSync(draftFileOf(file) + suffix, { force: true })
}

/** Finishes a replacement that was interrupted after its decision. The caller holds the lock. */
export function finishReplacement(file: string): void {
  if (!isBeingReplaced(file)) return
  for (const suffix of LOGS) rmSync(file + suffix, { force: true })
  // The deletion must reach the disk before the new name does: SQLite would apply the old WAL to the new database.
  syncPath(dirname(file))
  renameSync(readyOf(file), file)
  syncPath(dirname(file))
}

/** Syncs a file or a folder. */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Syncs the names in a folder, where this process may open it and its file system can. */
export function syncFolder(folder: string): void {
  let fd: number
  try {
    fd = openSync(folder, 'r')
  } catch {
    return
  }
  try {
    fsyncSync(fd)
  } catch (error) {
    if (!/EINVAL|ENOTSUP|EPERM/.test(String(error))) throw error
  } finally {
    closeSync(fd)
  }
}
