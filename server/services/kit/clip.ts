import { fitsUtf8 } from '../../../shared/document/text-size.ts'
import { escapeControls } from './visible.ts'

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
