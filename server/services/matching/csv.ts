import { countOf } from '../kit/amounts.ts'

/** What a row may have. Spreadsheets have fewer columns that anyone fills, and no longer cells. */
export const MAX_COLUMNS = 1_000
export const MAX_CELL = 32_767
/** Characters of a row. */
export const MAX_ROW = 262_144

/**
 * The rows of a CSV text (RFC 4180): quoted fields with separators, quotes and line breaks in them, any kind of line break, blank lines
 * left out. The separator is the first of `,` `;` and tab that stands outside quotes in the first row; spreadsheets use all three.
 *
 * @param text in pieces, cut anywhere
 * @throws when a quoted field does not end where it should, and for a row that is too long, with the line
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
        // After a quoted field it is the second of a pair, which stands for one.
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

/** A list of one column is a list of lines: a comma in it belongs to the name. */
const NO_SEPARATOR = ''

function isSeparator(char: string): boolean {
  return char === ',' || char === ';' || char === '\t'
}

/** Rows of one length, 1 or more, as CSV text, quoted where they have to be. */
export function formatCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map((field) => formatField(field, row.length)).join(',')}\r\n`).join('')
}

function formatField(field: string, fields: number): string {
  // A lone empty field would be a blank line.
  const needsQuotes = /[",;\t\r\n]/.test(field) || (field === '' && fields === 1)
  return needsQuotes ? `"${field.replaceAll('"', '""')}"` : field
}
