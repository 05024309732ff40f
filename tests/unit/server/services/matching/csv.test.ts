import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatCsv, MAX_CELL, MAX_COLUMNS, MAX_ROW, parseCsv } from '../../../../../server/services/matching/csv.ts'

async function* piecesOf(text: string, length: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length)
}

/** The rows of a text that comes in pieces of a length. */
const parse = (text: string, length = 1_000) => Array.fromAsync(parseCsv(piecesOf(text, length)))

describe('parseCsv', () => {
  test('parseCsv reads quotes, separators and line breaks within quotes, and any kind of line break outside', async () => {
    const text = 'id,name\r\n1,"Smith, ""Jo"""\n2,"two\r\nlines"\r3,a "plain" quote\r\n'
    const rows = [
      ['id', 'name'],
      ['1', 'Smith, "Jo"'],
      ['2', 'two\r\nlines'],
      ['3', 'a "plain" quote'],
    ]
    for (let length = 1; length < 20; length++) expect(await parse(text, length)).toEqual(rows)
  })

  test('parseCsv leaves out blank lines, and keeps empty fields', async () => {
    expect(await parse('\r\na,b\n\n\n,\r\n"",\n\n')).toEqual([
      ['a', 'b'],
      ['', ''],
      ['', ''],
    ])
    expect(await parse('name\n""\n')).toEqual([['name'], ['']])
    expect(await parse('')).toEqual([])
  })

  test('parseCsv takes the first separator of the first row, and no other', async () => {
    expect(await parse('"a,b";c,d\n1,2;3\n')).toEqual([
      ['a,b', 'c,d'],
      ['1,2', '3'],
    ])
    expect(await parse('a\tb;c\n1\t2;3')).toEqual([
      ['a', 'b;c'],
      ['1', '2;3'],
    ])
  })

  test('parseCsv reads a text of one column as lines, commas and all', async () => {
    expect(await parse('name\nVirgin Islands, U.S.\nCuba;\n')).toEqual([['name'], ['Virgin Islands, U.S.'], ['Cuba;']])
  })

  test('parseCsv tells the line in which a quoted field goes wrong', async () => {
    await expect(parse('a,b\r\n1,"two\nlines\n')).rejects.toThrow('Line 2: a quoted field is never closed.')
    await expect(parse('a,b\n"1\n2"x,3')).rejects.toThrow('Line 3: unexpected “x” after the closing quote.')
  })

  test('parseCsv refuses a row of more than it takes as soon as it sees it, naming the line and the limit', async () => {
    const fits = `${','.repeat(MAX_COLUMNS - 1)}\n`
    expect((await parse(fits))[0]).toHaveLength(MAX_COLUMNS)
    let read = 0
    async function* endless(piece: string): AsyncGenerator<string> {
      yield 'a,b\n'
      for (;;) {
        read += piece.length
        yield piece
      }
    }
    const refusals: [piece: string, most: number, message: string][] = [
      [',', MAX_COLUMNS, 'Line 2: a row has over 1,000 columns.'],
      ['x', MAX_CELL, 'Line 2: a cell has over 32,767 characters.'],
      [`${'x'.repeat(999)},`, MAX_ROW, 'Line 2: a row has over 262,144 characters.'],
    ]
    for (const [piece, most, message] of refusals) {
      read = 0
      await expect(Array.fromAsync(parseCsv(endless(piece)))).rejects.toThrow(message)
      expect(read).toBeLessThanOrEqual(most + 1_000)
    }
    await expect(parse(`a,b\n"${'x\n'.repeat(MAX_CELL)}`)).rejects.toThrow('a cell has over 32,767 characters')
  })

  test('parseCsv undoes formatCsv, wherever the text is cut', async () => {
    const field = fc.string({
      unit: fc.constantFrom('a', 'ü', '🙂', ' ', '"', ',', ';', '\t', '\r', '\n'),
      maxLength: 6,
    })
    const rows = fc
      .integer({ min: 1, max: 4 })
      .chain((columns) => fc.array(fc.array(field, { minLength: columns, maxLength: columns })))
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), async (rows, length) => {
        expect(await parse(formatCsv(rows), length)).toEqual(rows)
      }),
      { numRuns: 300 },
    )
  })
})

describe('formatCsv', () => {
  test('formatCsv quotes what has to be quoted and nothing else', () => {
    expect(formatCsv([['a', 'b c', 'd,e', 'f"g', 'h\ni', ''], ['']])).toBe('a,b c,"d,e","f""g","h\ni",\r\n""\r\n')
  })
})
