import { describe, expect, test } from 'bun:test'
import { backOff } from '../../../../shared/time/backoff.ts'

describe('backOff', () => {
  test('backOff doubles with each failure up to the longest wait, and never overflows', () => {
    const waits = [1, 2, 3, 4, 5, 100, 5_000].map((failures) => backOff(failures, 2_000, 15_000, 1))
    expect(waits).toEqual([2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000])
  })

  test('backOff takes up to half off by chance', () => {
    expect([0, 0.5, 0.999].map((random) => backOff(1, 2_000, 30_000, random))).toEqual([1_000, 1_500, 1_999])
  })
})
