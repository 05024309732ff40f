import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createUsualCheck } from '../../../../../server/http/body/usual-events.ts'
import { createEventSchema, type ProducerEvent } from '../../../../../shared/document/events.ts'
import { defaultLimits } from '../../../../../shared/document/limits.ts'
import { producerEvent } from '../../../../arbitraries.ts'

// Low, so that texts of many lengths are near them.
const limits = { ...defaultLimits, messageBytes: 9, titleBytes: 6 }
const isUsual = createUsualCheck(limits)
const schema = createEventSchema(limits)

/** Whether the schema returns a value as it is, to the order of its fields, and it is no status. */
function isReturned(value: unknown): boolean {
  const { success, data } = schema.safeParse(value)
  return success && data.type !== 'status' && data.type !== 'ask' && JSON.stringify(data) === JSON.stringify(value)
}

/** JSON values, among them all on which fields differ. */
const field = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('', ' ', '\ud800', '漢漢漢', '漢漢漢漢', '12345678é', 'succeeded', 'warn'),
  fc.constantFrom(0, -0, 1, 0.5, 100, 100.5, -1, 1e308, Number.POSITIVE_INFINITY, null, true, [], {}),
)
const names = 'type done total succeeded failed unit message id status label progress error weight code itemId level'
  .split(' ')
  .concat('__proto__', 'toString', '0', 'version')

/** The shortest events. */
const short = fc.constantFrom<ProducerEvent>(
  { type: 'progress', done: 1 },
  { type: 'item', id: 'i' },
  { type: 'item', id: 'i', progress: 1 },
  { type: 'step', id: 's' },
  { type: 'error', message: 'm' },
  { type: 'log', message: 'm' },
)

/** An event as a value of JSON, with some fields set, removed, or moved to the end. */
const nearlyEvent = fc.oneof(producerEvent, short).chain((event) =>
  fc
    .array(
      fc.record({
        name: fc.oneof(fc.constantFrom(...Object.keys(event)), fc.constantFrom(...names)),
        change: fc.constantFrom('set', 'remove', 'move'),
        value: field,
      }),
      { maxLength: 3 },
    )
    .map((changes) => {
      const fields = new Map<string, unknown>(Object.entries(event))
      for (const { name, change, value } of changes) {
        const before = fields.get(name)
        if (change !== 'set') fields.delete(name)
        if (change === 'set') fields.set(name, value)
        else if (change === 'move' && before !== undefined) fields.set(name, before)
      }
      return JSON.parse(`{${[...fields].map(([key, value]) => `${JSON.stringify(key)}:${json(value)}`)}}`)
    }),
)

const json = (value: unknown) => (value === Number.POSITIVE_INFINITY ? '1e999' : JSON.stringify(value))

test('createUsualCheck accepts exactly what the schema returns as it is, but for status events and asks', () => {
  const counts = { true: 0, false: 0 }
  fc.assert(
    fc.property(nearlyEvent, (event) => {
      const expected = isReturned(event)
      counts[`${expected}`] += 1
      expect(isUsual(event)).toBe(expected)
    }),
    { numRuns: 4_000 },
  )
  expect(Math.min(counts.true, counts.false)).toBeGreaterThan(400)
})

test('createUsualCheck refuses what is no event', () => {
  const values = [null, undefined, 'progress', 1, true, [], ['progress'], { type: ['progress'] }, { type: 'toString' }]
  for (const value of values) expect(isUsual(value)).toBe(false)
})
