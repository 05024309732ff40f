import { countOf } from '../kit/amounts.ts'

/** Limits of a row: at least those of spreadsheets for cells, and more columns than people fill. */
export const MAX_COLUMNS = 1_000
export const MAX_CELL = 32_767
/** Characters of a row. */
export const MAX_ROW = 262_144

/**
 * Parses CSV (RFC 4180): quoted fields may have separators, quotes and line breaks; any kind of line break; blank lines are skipped.
 * The separator is the first of `,` `;` and tab outside quotes in the first row; spreadsheets use all three.
 *
 * @param text in pieces of any length
 * @throws with the line, for a quoted field that is not closed correctly and for a row that is too long
 */
export async function* parseCsv(text: AsyncIterable<string>): AsyncGenerator<string[]> {
  let row: string[] = []
  let field = ''
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start'
  let separator: string | undefined
  let line = 1
  let last = ''
  let quotedSince = 0
  let rowLength = 0
  for await (const piece of text) {
    for (const char of piece) {
      // The second half of `\r\n`, which may come in another piece.
      const isSecondHalf = char === '\n' && last === '\r'
      const isBreak = char === '\r' || (char === '\n' && !isSecondHalf)
      if (isBreak) line += 1
      last = char
      rowLength += 1
      if (rowLength > MAX_ROW) throw tooLong(line, 'a row', MAX_ROW, 'character')
      if (field.length > MAX_CELL) throw tooLong(line, 'a cell', MAX_CELL, 'character')
      if (state === 'quoted') {
        if (char === '"') state = 'closed'
        else field += char
      } else if (char === '"' && state !== 'plain') {
        // After a quoted field it is the second of a pair, an escaped quote.
        if (state === 'closed') field += char
        else quotedSince = line
        state = 'quoted'
      } else if (char === separator || (separator === undefined && isSeparator(char))) {
        separator = char
        row.push(field)
        if (row.length === MAX_COLUMNS) throw tooLong(line, 'a row', MAX_COLUMNS, 'column')
        field = ''
        state = 'start'
      } else if (isBreak) {
        if (row.length > 0 || state !== 'start') {
          yield [...row, field]
          separator ??= NO_SEPARATOR
        }
        row = []
        rowLength = 0
        field = ''
        state = 'start'
      } else if (!isSecondHalf) {
        if (state === 'closed') throw new Error(`Line ${line}: unexpected “${char}” after the closing quote.`)
        field += char
        state = 'plain'
      }
    }
  }
  if (state === 'quoted') throw new Error(`Line ${quotedSince}: a quoted field is never closed.`)
  if (row.length > 0 || state !== 'start') yield [...row, field]
}

function tooLong(line: number, what: string, most: number, unit: string): Error {
  return new Error(`Line ${line}: ${what} has over ${countOf(most, unit)}.`)
}

/** A list of one column: a comma belongs to the name. */
const NO_SEPARATOR = ''

function isSeparator(char: string): boolean {
  return char === ',' || char === ';' || char === '\t'
}

/** Formats rows of equal length, 1 or more, as CSV. */
export function formatCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map((field) => formatField(field, row.length)).join(',')}\r\n`).join('')
}

function formatField(field: string, fields: number): string {
  // A lone empty field would be a blank line.
  const needsQuotes = /[",;\t\r\n]/.test(field) || (field === '' && fields === 1)
  return needsQuotes ? `"${field.replaceAll('"', '""')}"` : field
}
