import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { lastOf } from '../../../../../server/http/body/event-parser.ts'
import { elementsOf, shapeOf } from '../../../../../server/http/body/json-text.ts'

describe('shapeOf', () => {
  test('shapeOf finds the longest event of what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const events = Array.isArray(value) ? value : [value]
        const most = Math.max(0, ...events.map((event) => JSON.stringify(event).length))
        const { longest, tooDeep } = shapeOf(JSON.stringify(value, null, 3), 1_000)
        // The brackets and commas of a batch count with its events.
        expect(longest).toBeWithin(most, most + 3)
        expect(tooDeep).toBeUndefined()
      }),
    )
  })

  for (const [text, field] of [
    ['{"type":"status","result":[[[[]]]]}', 'result'],
    ['{"a":[],"metadata":{"b":[{"c":[]}]}}', 'metadata'],
    ['[{"type":"log"},{"type":"status","result":[[[[]]]]}]', '1.result'],
    ['[[[[[[]]]]]]', '0'],
    ['[1,[[[[[]]]]]]', '1'],
  ] as const)
    test(`shapeOf finds that ${field} is nested too deeply in ${text}`, () => {
      expect(shapeOf(text, 3).tooDeep).toBe(field)
      expect(shapeOf(text, 6).tooDeep).toBeUndefined()
    })

  test('shapeOf treats brackets, commas and escaped quotes in strings as text', () => {
    expect(shapeOf('{"a\\\\":"[[[\\"{{,","b":[1]}', 2)).toEqual({ longest: 26, events: 1, nested: 3, fields: 2 })
  })

  test.each([
    ['{"type":"status","result":{"a":[1,{"b":2}]}}', 17, 2],
    ['[{"type":"log"},{"type":"status","status":"x","result":[0]},{"metadata":{}}]', 5, 3],
    ['{"a:b":"{[:,","c":{"d:":":"}}', 10, 2],
    ['{"a":"\\u0041\\n","c": [ "\\u0041\\\\",\n"\\n" ]}', 10, 2],
    ['[1,[2],[[3]]]', 3, 0],
    ['3', 0, 0],
  ])('shapeOf measures nested values and counts fields: %s', (text, nested, fields) => {
    expect(shapeOf(text, 10)).toMatchObject({ nested, fields })
  })

  test('shapeOf counts no more of nested values than JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ stringUnit: 'binary' })), (results) => {
        const events = results.map((result) => ({ type: 'status', result }))
        const most = results.reduce<number>((sum, result) => sum + JSON.stringify(result).length, 0)
        const padded = JSON.stringify(events, null, 3)
        const escaped = padded.replace(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        const { events: count, nested } = shapeOf(escaped, 1_000)
        expect(nested).toBeLessThanOrEqual(most)
        expect(count).toBe(Math.max(1, events.length))
      }),
    )
  })

  test('shapeOf ends on a string without a closing quote', () => {
    expect(shapeOf('["a', 3).longest).toBe(3)
    expect(shapeOf('"\\', 3).longest).toBe(2)
  })
})

describe('elementsOf', () => {
  const split = (text: string, most = 1_000) => lastOf(elementsOf(text, most))

  test('elementsOf finds the elements of what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ stringUnit: 'binary' })), (values) => {
        const text = JSON.stringify(values, null, 3)
        expect(split(text)?.map((element) => JSON.parse(element))).toEqual(JSON.parse(text))
      }),
    )
  })

  test.each(['', '  ', '{}', '"[]"', '[', '[1', '[1,"]', '["\\"]', '[1]x', '[1}', '[[1]', '[1]]', 'null'])(
    'elementsOf takes %p for no array',
    (text) => expect(split(text)).toBeUndefined(),
  )

  test('elementsOf leaves elements that are not JSON to the parser', () => {
    expect(split(' [ ,1, x ] ')).toEqual([' ', '1', ' x '])
    expect(split('[1,]')).toEqual(['1', ''])
    expect(split('[ ]')).toEqual([])
  })

  test('elementsOf reads no more elements than it may return', () => {
    expect(split('[1,2,3', 2)).toEqual(['1', '2'])
  })

  test('elementsOf reads a long text in steps', () => {
    for (const text of [JSON.stringify(Array(100_000).fill(0)), JSON.stringify(['"'.repeat(100_000)])]) {
      let steps = 0
      for (const reading = elementsOf(text, 1e6); !reading.next().done; ) steps += 1
      expect(steps).toBe(Math.floor((text.length - 1) / 65_536))
    }
  })
})
