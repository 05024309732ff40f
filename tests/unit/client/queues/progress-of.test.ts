import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { progressOf } from '../../../../client/queues/progress-of.ts'
import { eventSchema } from '../../../../shared/document/events.ts'

describe('progressOf', () => {
  test.each<[unknown, unknown]>([
    [42, { done: 42, total: 100 }],
    ['Reads', { done: 0, message: 'Reads' }],
    [
      { done: 3, total: 10, unit: 'rows', failed: 1 },
      { done: 3, total: 10, unit: 'rows', failed: 1 },
    ],
    [
      { current: 3, total: 10, text: 'c.csv' },
      { done: 3, total: 10, message: 'c.csv' },
    ],
    [
      { percent: 30, message: 'Reads' },
      { done: 30, total: 100, message: 'Reads' },
    ],
    [{ file: 'c.csv' }, { done: 0, message: '{"file":"c.csv"}' }],
    [true, undefined],
    [null, undefined],
    [-1, undefined],
    [Number.NaN, undefined],
  ])('progressOf(%p) is %p', (reported, fields) => {
    expect(progressOf(reported)).toEqual(fields as never)
  })

  test('progressOf makes of anything what the server takes', () => {
    const names = ['done', 'total', 'percent', 'message', 'unit', 'failed']
    const anything = fc.oneof(
      fc.anything({ withBigInt: false }),
      fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.double(), fc.string({ maxLength: 20_000 }), fc.anything())),
    )
    fc.assert(
      fc.property(anything, (reported) => {
        const fields = progressOf(reported)
        if (fields) expect(eventSchema.safeParse({ type: 'progress', ...fields }).error).toBeUndefined()
      }),
    )
  })
})
