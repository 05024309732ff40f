import { defaultLimits } from '../../shared/limits.ts'
import { fitsUtf8 } from '../../shared/text-size.ts'

/** Characters of a long path's end: at three bytes each they fit in an id. */
const END_LENGTH = 150

/**
 * The id under which an item stands for a file: its path. A path that is no id, for it is longer than one may be or nothing but blanks,
 * is told by its place and its end.
 */
export function itemId(path: string, place: number): string {
  const isId = path.trim() !== '' && fitsUtf8(path, defaultLimits.titleBytes)
  return isId ? path : `${place}: …${path.slice(-END_LENGTH)}`
}
