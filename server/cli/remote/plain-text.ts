import { createFormat } from '../../../client/text/format.ts'
import { english } from '../../../client/text/language.ts'
import { escapeControls } from '../../services/kit/untrusted-text.ts'

/** Numbers and durations, as pages write them. */
export const englishFormat = createFormat(english)

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const ELLIPSIS = '…'

/** A text of a stranger on one line: nothing in it moves the cursor, changes colours or reorders the line. */
export function plain(text: string): string {
  return escapeControls(text.replaceAll(/\s+/gu, ' ').trim())
}

/** A plain text in at most so many columns, with an ellipsis where it was cut. */
export function fit(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text
  let cut = ''
  let width = Bun.stringWidth(ELLIPSIS)
  for (const { segment } of graphemes.segment(text)) {
    width += Bun.stringWidth(segment)
    if (width > columns) break
    cut += segment
  }
  return columns > 0 ? cut + ELLIPSIS : ''
}

/** A plain text in exactly so many columns. */
export function pad(text: string, columns: number): string {
  const short = fit(text, columns)
  return short + ' '.repeat(Math.max(0, columns - Bun.stringWidth(short)))
}

/** JSON for a terminal: what JSON leaves as it is, of control characters, is escaped too. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
