import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatCursor, parseCursor } from '../../../../shared/document/cursor.ts'

describe('formatCursor', () => {
  test('formatCursor writes EPOCH-VERSION', () => {
    expect(formatCursor({ epoch: 'k3x9', version: 42 })).toBe('k3x9-42')
    expect(formatCursor({ epoch: 'k3x9', generation: 'q7', version: 42 })).toBe('k3x9.q7-42')
  })
})

describe('parseCursor', () => {
  test('parseCursor reads what formatCursor wrote', () => {
    const epoch = fc.stringMatching(/^[a-z0-9]{1,32}$/)
    const version = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER))
    fc.assert(
      fc.property(epoch, epoch, version, (epoch, generation, version) => {
        for (const cursor of [
          { epoch, version },
          { epoch, generation, version },
        ])
          expect(parseCursor(formatCursor(cursor))).toStrictEqual(cursor)
      }),
    )
  })

  test('parseCursor answers undefined to what is none', () => {
    const hostile = [
      '',
      '-',
      'k3x9',
      'k3x9-',
      '-42',
      'k3x9-42-1',
      'K3x9-42',
      'k3x9-4 2',
      ' k3x9-42',
      'k3x9-42 ',
      'k3x9-42\n',
      'k3x9\n-42',
      'k3x9--42',
      'k3x9-+42',
      'k3x9-042',
      'k3x9-00',
      'k3x9-4.2',
      'k3x9.-42',
      '.q7-42',
      'k3x9.q7.q8-42',
      'k3x9.Q7-42',
      `k3x9.${'a'.repeat(33)}-42`,
      'k3x9-4e2',
      'k3x9-0x2a',
      'k3x9-Infinity',
      'k3x9-NaN',
      'k3x9-٤٢',
      'k3x9-4２',
      'k3x9–42',
      'ｋ-1',
      'k3x9-42\0',
      'k3x9-42,k3x9-43',
      '"k3x9-42"',
      '__proto__-1',
      `${'a'.repeat(33)}-1`,
      `${'a'.repeat(1_000_000)}-1`,
      `a-${'9'.repeat(1_000_000)}`,
      'a-9007199254740992',
      'a-9999999999999999',
      'a-99999999999999999',
    ]
    for (const text of hostile) expect([text.slice(0, 40), parseCursor(text)]).toEqual([text.slice(0, 40), undefined])
    expect([parseCursor(null), parseCursor(undefined)]).toEqual([undefined, undefined])
    expect(parseCursor('a-9007199254740991')).toEqual({ epoch: 'a', version: 9_007_199_254_740_991 })
  })

  test('parseCursor reads no text but the one that formatCursor writes', () => {
    const pieces = fc.constantFrom('a', 'k3', '-', '0', '1', '42', '007', 'A', ' ', '\n', '.', 'e', '9007199254740993')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 5 }).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(text, (text) => {
        const cursor = parseCursor(text)
        if (cursor) expect(formatCursor(cursor)).toBe(text)
      }),
      { numRuns: 500 },
    )
  })
})
