import { EngineOpenError } from '../../../jobs/engine.ts'

/** The refusal of a damaged file. */
export const damaged = (path: string, how: string) =>
  new EngineOpenError(`${path} is damaged (${how}): move it and the files beside it away, then restore a backup.`)

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
  if (/EIO|disk I\/O error/.test(reason)) return 'reading or writing the disk failed. Check the disk, then start again'
  return 'give this user permission to read and write the file and its folder'
}
