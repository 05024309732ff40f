import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { countOf, formatBytes } from '../../../../server/services/kit/amounts.ts'
import { clip, escapeControls, itemId, reasonOf } from '../../../../server/services/kit/untrusted-text.ts'

const byteLength = (text: string) => new TextEncoder().encode(text).byteLength

describe('formatBytes', () => {
  test('formatBytes gives bytes in the largest unit that they fill', () => {
    const amounts = [0, 1, 999, 1_000, 12_345, 999_999_999, 1e12, 5e15]
    expect(amounts.map(formatBytes)).toEqual([
      '0\u00a0bytes',
      '1\u00a0byte',
      '999\u00a0bytes',
      '1\u00a0kB',
      '12.3\u00a0kB',
      '1,000\u00a0MB',
      '1\u00a0TB',
      '5,000\u00a0TB',
    ])
  })
})

describe('countOf', () => {
  test('countOf knows one from many', () => {
    expect([0, 1, 1_204].map((count) => countOf(count, 'file'))).toEqual(['0 files', '1 file', '1,204 files'])
  })
})

describe('clip', () => {
  test('clip leaves alone what fits, and cuts the rest between two characters', () => {
    expect([clip('abcdef', 6), clip('abcdefg', 6), clip('üüü', 6), clip('üüüü', 6), clip('🙂🙂', 7)]).toEqual([
      'abcdef',
      'abc…',
      'üüü',
      'ü…',
      '🙂…',
    ])
  })

  test('clip gives no more bytes than it may', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 3, max: 40 }), (text, bytes) => {
        expect(byteLength(clip(text, bytes))).toBeLessThanOrEqual(bytes)
      }),
    )
  })
})

describe('escapeControls', () => {
  test('escapeControls leaves nothing that moves a cursor, ends a line or turns it round, and all else as it is', () => {
    const unseen = ['\0', '\n', '\r', '\t', '\u001b', '\u007f', '\u009b', '\u2028', '\u202e', '\u2066', '\u200f']
    for (const character of unseen) {
      const code = character.codePointAt(0)?.toString(16)
      expect(escapeControls(`a${character}b`)).toBe(`a\\u{${code}}b`)
    }
    for (const text of ['a/b c.txt', 'ü/日本', '👩‍👩‍👧', 'می‌خواهم', 'a\\b']) expect(escapeControls(text)).toBe(text)
  })
})

describe('reasonOf', () => {
  test('reasonOf says what went wrong, whatever was thrown, and not at length', () => {
    expect([reasonOf(new Error('The disk is full')), reasonOf('no'), reasonOf(undefined)]).toEqual([
      'The disk is full',
      'no',
      'undefined',
    ])
    expect(byteLength(reasonOf(new Error('x'.repeat(10_000))))).toBe(300)
    expect(reasonOf(new Error('no\n\u001b[2Jroom'))).toBe('no\\u{a}\\u{1b}[2Jroom')
  })
})

describe('itemId', () => {
  test('itemId is the path, as long as a path can be an id', () => {
    expect([itemId('a/b.txt', 3), itemId('ü'.repeat(256), 3)]).toEqual(['a/b.txt', 'ü'.repeat(256)])
  })

  test('itemId of any other path is short, and told by its place', () => {
    const long = '語'.repeat(300)
    const ids = [itemId(long, 3), itemId(long, 4), itemId('  ', 5), itemId('a\rb', 6)]
    expect(ids).toEqual([`3: …${'語'.repeat(150)}`, `4: …${'語'.repeat(150)}`, '5: …  ', '6: …a\\u{d}b'])
    expect(Math.max(...ids.map(byteLength))).toBeLessThan(512)
  })
})
