import { TreeRefusal } from '../services/sync/tree.ts'

/** Permanent errors of the file system, as sentences for the user. */
const REFUSALS: Record<string, string> = {
  EACCES: 'Permission denied',
  EPERM: 'Permission denied',
  EROFS: 'The disk is read-only',
  ENOSPC: 'The disk is full',
  EDQUOT: 'The disk quota is exhausted',
  EFBIG: 'It is too large for the file system',
  ENAMETOOLONG: 'Its name is too long for the file system',
  EILSEQ: 'Its name has characters that the file system does not support',
  ENOENT: 'It is not there',
  ENOTDIR: 'It is a link or a file where a folder should be',
  EISDIR: 'A folder has its name',
  ENOTEMPTY: 'A folder has its name',
  EEXIST: 'A folder has its name',
  ELOOP: 'It is a symbolic link, which is not followed',
  ENXIO: 'It is not a file',
}

/** Runs work with files. @throws TreeRefusal, a sentence that begins with `about`, in place of a permanent error */
export async function inWords<T>(work: () => Promise<T>, about = ''): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TreeRefusal) throw about === '' ? error : new TreeRefusal(about + error.message)
    const words = REFUSALS[codeOf(error) ?? '']
    throw words === undefined ? error : new TreeRefusal(about + words)
  }
}

/** The code of a system error: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
