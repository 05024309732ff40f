import { defaultLimits } from '../../../shared/document/limits.ts'
import { fitsUtf8 } from '../../../shared/document/text-size.ts'

/** Control characters, line separators and bidirectional controls, which reorder a displayed line. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * Escapes characters of an untrusted text, such as a file name, that would change what a terminal or a page shows: `\u{1b}` for an
 * escape. The result is one line.
 */
export function escapeControls(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

const ELLIPSIS = '…'
const ELLIPSIS_BYTES = 3

/** Cuts a text to a number of bytes of UTF-8, with an ellipsis where it was cut. */
export function clip(text: string, bytes: number): string {
  if (fitsUtf8(text, bytes)) return text
  const room = new Uint8Array(bytes - ELLIPSIS_BYTES)
  // Stops before a character that does not fit, and never within one.
  const { written } = new TextEncoder().encodeInto(text, room)
  return new TextDecoder().decode(room.subarray(0, written)) + ELLIPSIS
}

/** The reason of a failure, as a message for the document. */
export function reasonOf(error: unknown): string {
  return clip(escapeControls(error instanceof Error ? error.message : String(error)), 300)
}

/** Characters of a long path's end: at three bytes each they fit in an id. */
const END_LENGTH = 150

/**
 * The id of a file's item: its path. A path that is no valid id (too long, blank, or with control characters) becomes its place in the
 * list and its end.
 */
export function itemId(path: string, place: number): string {
  const shown = escapeControls(path)
  const isId = path.trim() !== '' && shown === path && fitsUtf8(path, defaultLimits.titleBytes)
  return isId ? path : `${place}: …${shown.slice(-END_LENGTH)}`
}
