import { describe, expect, test } from 'bun:test'
import { createFormat } from '../../../../client/text/format.ts'
import { english, type Language } from '../../../../client/text/language.ts'

const format = createFormat(english, { timeZone: 'UTC' })

/** Easier to read in a test. */
const withSpaces = (text: string) => text.replaceAll('\xa0', ' ')

describe('createFormat', () => {
  test('createFormat keeps a number and its unit on one line', () => {
    expect(format.amountOf(42, 100, 'files')).toBe('42 of 100\xa0files')
    expect(format.amount(3.61e8, 'bytes')).toBe('361\xa0MB')
    expect(format.percent(42)).toBe('42\xa0%')
    expect(format.duration(192_000)).toBe('3\xa0min 12\xa0s')
  })

  test.each([
    [0, '0'],
    [42, '42'],
    [18_604, '18,604'],
    [1.25, '1.3'],
    [1e9, '1,000,000,000'],
  ])('createFormat writes the number %p as %p', (value, text) => {
    expect(format.number(value)).toBe(text)
  })

  test.each([
    [0, '0 %'],
    [42.9, '42 %'],
    [99.99, '99 %'],
    [100, '100 %'],
  ])('createFormat rounds %p percent down: %p', (value, text) => {
    expect(withSpaces(format.percent(value))).toBe(text)
  })

  test.each<[number, string | undefined, string]>([
    [100, 'files', '100 files'],
    [1, 'files', '1 file'],
    [0, 'files', '0 files'],
    [1_204, 'files', '1,204 files'],
    [3, 'parsecs', '3 parsecs'],
    [1, 'parsecs', '1 parsecs'],
    [2, 'constructor', '2 constructor'],
    [42, undefined, '42'],
    [2.5, 'pages', '2.5 pages'],
    [0, 'bytes', '0 bytes'],
    [1, 'bytes', '1 byte'],
    [12, 'bytes', '12 bytes'],
    [999, 'bytes', '999 bytes'],
    [1_000, 'bytes', '1 kB'],
    [1_500, 'bytes', '1.5 kB'],
    [999_499, 'bytes', '999 kB'],
    [999_500, 'bytes', '1 MB'],
    [361e6, 'bytes', '361 MB'],
    [1.27e9, 'bytes', '1.3 GB'],
    [5e18, 'bytes', '5,000 PB'],
  ])('createFormat writes %p %p as %p', (value, unit, text) => {
    expect(withSpaces(format.amount(value, unit))).toBe(text)
  })

  test.each<[number, number, string | undefined, string]>([
    [42, 100, 'files', '42 of 100 files'],
    [18_604, 30_000, 'files', '18,604 of 30,000 files'],
    [0, 1, 'files', '0 of 1 file'],
    [3, 7, undefined, '3 of 7'],
    [112e6, 361e6, 'bytes', '112 of 361 MB'],
    [40_000, 361e6, 'bytes', '0 of 361 MB'],
    [1.26e9, 9.7e9, 'bytes', '1.3 of 9.7 GB'],
    [500, 900, 'bytes', '500 of 900 bytes'],
    [100, 100, 'files', '100 of 100 files'],
    [99.9999, 100, undefined, '99.9 of 100'],
    [100.01, 100.04, undefined, '99.9 of 100'],
    [0.01, 0.02, undefined, '0 of 0'],
    [360.9e6, 361.4e6, 'bytes', '360 of 361 MB'],
    [9.97e6, 10.2e6, 'bytes', '9.9 of 10 MB'],
    [361e6, 361e6, 'bytes', '361 of 361 MB'],
  ])('createFormat writes %p of %p %p as %p', (done, total, unit, text) => {
    expect(withSpaces(format.amountOf(done, total, unit))).toBe(text)
  })

  test.each<[number, string | undefined, string]>([
    [52.3, 'files', '52 files/s'],
    [1, 'files', '1 files/s'],
    [3.24, 'files', '3.2 files/s'],
    [0.4, 'files', '24 files/min'],
    [0.01, 'files', '36 files/h'],
    [1_234.5, undefined, '1,235/s'],
    [3.2e6, 'bytes', '3.2 MB/s'],
    [500, 'bytes', '500 bytes/s'],
  ])('createFormat writes the rate %p %p as %p', (value, unit, text) => {
    expect(withSpaces(format.rate(value, unit))).toBe(text)
  })

  test.each([
    [0, 'less than 1 s', '0 s'],
    [-5, 'less than 1 s', '0 s'],
    [999, 'less than 1 s', '0 s'],
    [1_000, '1 s', '1 s'],
    [59_999, '59 s', '59 s'],
    [60_000, '1 min', '1 min'],
    [192_000, '3 min 12 s', '3 min'],
    [3_600_000, '1 h', '1 h'],
    [3_840_000, '1 h 4 min', '1 h'],
    [3_659_000, '1 h', '1 h'],
    [2 * 86_400_000 + 3 * 3_600_000, '2 d 3 h', '2 d'],
    [400 * 86_400_000, '400 d', '400 d'],
  ])('createFormat writes %p ms as %p, roughly %p', (milliseconds, exact, rough) => {
    expect(withSpaces(format.duration(milliseconds))).toBe(exact)
    expect(withSpaces(format.roughDuration(milliseconds))).toBe(rough)
  })

  test('createFormat writes a moment with its date unless it is of the same day', () => {
    const british = createFormat(english, { locale: 'en-GB', timeZone: 'UTC' })
    const moment = Date.parse('2026-03-01T14:02:33.000Z')
    expect(british.time(moment, Date.parse('2026-03-01T23:00:00.000Z'))).toBe('14:02')
    expect(british.time(moment, Date.parse('2026-03-02T00:00:00.000Z'))).toBe('1 Mar 2026, 14:02')
  })

  test('createFormat takes its words from the language and its digits from the locale', () => {
    const german: Language = {
      ...english,
      tag: 'de',
      doneOfTotal: (done, total) => `${done} von ${total}`,
      units: { files: { one: 'Datei', other: 'Dateien' } },
    }
    const deutsch = createFormat(german)
    expect(withSpaces(deutsch.amountOf(1_204, 30_000, 'files'))).toBe('1.204 von 30.000 Dateien')
    expect(withSpaces(deutsch.amount(1, 'files'))).toBe('1 Datei')
    expect(withSpaces(deutsch.amount(1.5e6, 'bytes'))).toBe('1,5 MB')
  })
})
