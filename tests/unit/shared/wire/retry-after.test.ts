import { expect, test } from 'bun:test'
import { retryAfterMs } from '../../../../shared/wire/retry-after.ts'

const now = Date.parse('2026-01-01T00:00:00.000Z')

test.each<[string | undefined, number]>([
  ['0', 0],
  ['2', 2_000],
  ['3600', 60_000],
  ['9'.repeat(400), 60_000],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2099 00:00:00 GMT', 60_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['-1', 0],
  ['1.5 s', 0],
  ['soon', 0],
  ['', 0],
  [undefined, 0],
])('retryAfterMs reads %p as %p ms where a minute is the most', (text, ms) => {
  const headers = new Headers(text === undefined ? {} : { 'retry-after': text })
  expect(retryAfterMs(new Response(null, { headers }), now, 60_000)).toBe(ms)
})
