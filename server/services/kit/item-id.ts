import { defaultLimits } from '../../../shared/document/limits.ts'
import { fitsUtf8 } from '../../../shared/document/text-size.ts'
import { escapeControls } from './visible.ts'

/** Characters of a long path's end: at three bytes each they fit in an id. */
const END_LENGTH = 150

/**
 * The id under which an item stands for a file: its path. A path that is no id, for it is longer than one may be, nothing but blanks or
 * has control characters, is told by its place and its end.
 */
export function itemId(path: string, place: number): string {
  const shown = escapeControls(path)
  const isId = path.trim() !== '' && shown === path && fitsUtf8(path, defaultLimits.titleBytes)
  return isId ? path : `${place}: …${shown.slice(-END_LENGTH)}`
}
