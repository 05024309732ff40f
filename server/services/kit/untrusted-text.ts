import { defaultLimits } from '../../../shared/document/limits.ts'
import { fitsUtf8 } from '../../../shared/document/text-size.ts'

/** Control characters, and what reorders a line for the eye: Unicode's Cc, its line separators and its bidirectional controls. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A text that comes from elsewhere, such as the name of a file, on one line and without the power to change what a terminal or a page
 * shows: `\u{1b}` in the place of an escape.
 */
export function escapeControls(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

const ELLIPSIS = '…'
const ELLIPSIS_BYTES = 3

/** A text of at most so many bytes of UTF-8, with an ellipsis where it was cut: what comes from files is as long as it likes. */
export function clip(text: string, bytes: number): string {
  if (fitsUtf8(text, bytes)) return text
  const room = new Uint8Array(bytes - ELLIPSIS_BYTES)
  // Stops before a character that does not fit, and never within one.
  const { written } = new TextEncoder().encodeInto(text, room)
  return new TextDecoder().decode(room.subarray(0, written)) + ELLIPSIS
}

/** What went wrong, as a message of a document. */
export function reasonOf(error: unknown): string {
  return clip(escapeControls(error instanceof Error ? error.message : String(error)), 300)
}

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
