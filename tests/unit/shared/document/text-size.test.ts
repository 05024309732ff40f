import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { fitsUtf8, utf8Length } from '../../../../shared/document/text-size.ts'

const encodedLength = (text: string) => new TextEncoder().encode(text).length

/** Text of any UTF-16 at all, half surrogate pairs too, with many at the borders between lengths. */
const anyText = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }),
      fc.constantFrom(0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff),
    ),
  )
  .map((units) => String.fromCharCode(...units))

describe('utf8Length', () => {
  test('utf8Length is what TextEncoder makes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(utf8Length(text)).toBe(encodedLength(text))
      }),
      { numRuns: 1_000 },
    )
  })

  test('utf8Length of one character is 1 to 4', () => {
    expect(['', 'a', '\x7f', '\x80', '\u07ff', '\u0800', '\uffff', '😀', '\ud83d', '\ude00'].map(utf8Length)).toEqual([
      0, 1, 1, 2, 2, 3, 3, 4, 3, 3,
    ])
  })
})

describe('fitsUtf8', () => {
  test('fitsUtf8 agrees with TextEncoder at the limit and on both sides of it', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: -3, max: 3 }), (text, off) => {
        const limit = encodedLength(text) + off
        expect(fitsUtf8(text, limit)).toBe(off >= 0)
      }),
      { numRuns: 1_000 },
    )
  })
})
