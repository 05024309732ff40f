import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { FormScanner, PART_HEADER_BYTES } from '../../../../../server/http/body/form-scanner.ts'

const encoder = new TextEncoder()

/** The bytes, cut at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end))
}

/** What a scan comes to. */
function scan(boundary: string, chunks: readonly Uint8Array[], mostParts = 1_000) {
  const scanner = new FormScanner(boundary, mostParts)
  const excess = chunks.map((chunk) => scanner.scan(chunk)).find((found) => found !== undefined)
  return { parts: scanner.parts, excess }
}

const scanText = (text: string, mostParts?: number) => scan('b', [encoder.encode(text)], mostParts)
const part = (headers: string, content = '') => `--b\r\n${headers}\r\n\r\n${content}\r\n`

describe('FormScanner', () => {
  test('FormScanner counts the parts of any form, however it is cut into chunks', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(fc.constantFrom('--', '-', '\r\n', '\r', '\n', '\r\n\r\n', 'boundary'))
        .map((all) => encoder.encode(all.join(''))),
    )
    const field = fc.record({ name: fc.string(), file: fc.option(fc.string({ unit: 'binary' })), content })
    const places = fc.array(fc.nat(), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.array(field, { maxLength: 8 }), places, async (fields, at) => {
        const form = new FormData()
        for (const { name, file, content } of fields) {
          if (file === null) form.append(name, new TextDecoder().decode(content))
          else form.append(name, new File([content], file))
        }
        const body = new Response(form)
        const boundary = /boundary="?([^"]+)/.exec(body.headers.get('content-type') ?? '')?.[1] ?? ''
        const bytes = new Uint8Array(await body.arrayBuffer())
        expect(scan(boundary, cut(bytes, at))).toEqual({ parts: fields.length, excess: undefined })
      }),
    )
  })

  test('FormScanner finds as many boundaries as a plain search does, of any boundary in any chunks', () => {
    const dashed = fc.string({ unit: fc.constantFrom('-', 'x', 'y'), minLength: 1, maxLength: 6 })
    const beginning = fc.nat({ max: 8 })
    const pieces = fc.array(fc.oneof(beginning, dashed, fc.constant('a'.repeat(20))))
    fc.assert(
      fc.property(dashed, pieces, fc.array(fc.nat(), { maxLength: 5 }), (boundary, all, at) => {
        const delimiter = `--${boundary}`
        const body = all.map((piece) => (typeof piece === 'number' ? delimiter.slice(0, piece) : piece)).join('')
        const parts = Math.max(0, body.split(delimiter).length - 2)
        expect(scan(boundary, cut(encoder.encode(body), at))).toEqual({ parts, excess: undefined })
      }),
      { numRuns: 500 },
    )
  })

  test('FormScanner reports too many parts', () => {
    const parts = (count: number) => `${part('X: y').repeat(count)}--b--\r\n`
    expect(scanText(parts(3), 3)).toEqual({ parts: 3, excess: undefined })
    expect(scanText(parts(4), 3)).toEqual({ parts: 4, excess: 'parts' })
  })

  test('FormScanner reports headers that are too long, of one part or of all, and ignores contents', () => {
    // The bytes around the headers count: CR LF before them, and twice after them.
    const longest = 'x'.repeat(PART_HEADER_BYTES - 6)
    expect(scanText(`${part(longest, 'y'.repeat(100_000))}--b--`).excess).toBeUndefined()
    expect(scanText(`${part(`${longest}x`)}--b--`).excess).toBe('headers')
    const usual = (length: number) => scanText(`${part('x'.repeat(length - 6)).repeat(100)}--b`, 100).excess
    expect([usual(256), usual(257)]).toEqual([undefined, 'headers'])
  })

  test('FormScanner counts headers as long as any parser would', () => {
    const long = 'x'.repeat(PART_HEADER_BYTES)
    const evasions = [
      // A parser that takes the boundary's line off sees no empty line here.
      `--b\r\n\r\n${long}`,
      // A boundary within a name, which some take for one and others for the name.
      `--b\r\n${`${'x'.repeat(100)}--b`.repeat(100)}`,
      `--b\r\n--b\r\n\r\n${long}`,
      // Line ends that some take for one.
      `--b\r\nX: y\n\n${long}`,
      `--b\r\nX: y\r\r${long}`,
      `--b\r\nX: y\r\n\n${long}`,
      `--b \r\n\r\n${long}`,
    ]
    for (const body of evasions)
      for (const size of [1, 7, body.length]) {
        const bytes = encoder.encode(body)
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, at * size + size),
        )
        expect([body.slice(0, 20), scan('b', chunks).excess]).toEqual([body.slice(0, 20), 'headers'])
      }
  })
})
