import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createEventSchema, eventSchema } from '../../../../shared/document/events.ts'
import { defaultLimits } from '../../../../shared/document/limits.ts'
import { producerEvent } from '../../../arbitraries.ts'

/** Whether an event is taken, as it is. */
const takes = (event: unknown) => eventSchema.safeParse(event).success

/** What is wrong with an event: the path and the message of each issue. */
const faults = (event: unknown) =>
  eventSchema.safeParse(event).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

/** One event of each type with every field that it may have. */
const full = [
  { type: 'progress', done: 1, total: 2, succeeded: 1, failed: 0, unit: 'files', message: 'm' },
  { type: 'status', status: 'running', message: 'm', result: { a: 1 }, title: 't', metadata: { a: 1 } },
  { type: 'item', id: 'i', status: 'failed', label: 'l', progress: 100, message: 'm', error: 'e' },
  { type: 'step', id: 's', status: 'running', label: 'l', done: 1, total: 2, message: 'm', weight: 3 },
  { type: 'error', message: 'm', code: 'c', itemId: 'i' },
  { type: 'log', message: 'm', level: 'warn' },
] as const

/** The event of a type, with every field. */
const fullOf = (type: string) => full.find((event) => event.type === type) ?? {}

/** What each type can't do without. */
const required = {
  progress: ['done'],
  status: ['status'],
  item: ['id'],
  step: ['id'],
  error: ['message'],
  log: ['message'],
}

describe('eventSchema', () => {
  for (const event of full) {
    test(`${event.type} with every field is taken as it is`, () => {
      expect(eventSchema.parse(event)).toStrictEqual(event)
    })

    test(`${event.type} without a field that it needs is refused, and the field named`, () => {
      for (const key of required[event.type]) {
        const { [key]: _left, ...rest } = event as Record<string, unknown>
        expect(eventSchema.safeParse(rest).error?.issues.map(({ path }) => path)).toEqual([[key]])
      }
    })

    test(`${event.type} with an unknown field is refused`, () => {
      for (const key of ['extra', 'version', 'at', 'expiresAt', 'constructor', 'toString', 'Done', ''])
        expect(faults({ ...event, [key]: 1 })).toEqual([`: Unrecognized key: "${key}"`])
      expect(faults(JSON.parse(`${JSON.stringify(event).slice(0, -1)},"__proto__":{}}`))).toEqual([
        ': Unrecognized key: "__proto__"',
      ])
    })

    test(`${event.type} with a field of a wrong type is refused`, () => {
      for (const key of Object.keys(event).filter((key) => key !== 'result'))
        for (const value of [true, [], Symbol('s')]) expect(takes({ ...event, [key]: value })).toBe(false)
    })
  }

  test('any event that producers may send is taken as it is', () => {
    fc.assert(
      fc.property(producerEvent, (event) => {
        expect(eventSchema.parse(event)).toStrictEqual(event)
        expect(eventSchema.parse(JSON.parse(JSON.stringify(event)))).toStrictEqual(event)
      }),
    )
  })

  test('no JSON at all makes it throw', () => {
    const hostile = fc.oneof(
      fc.json(),
      fc.anything({ withNullPrototype: true, withBigInt: true, withSparseArray: true }),
    )
    const types = fc.constantFrom('progress', 'status', 'item', 'step', 'error', 'log', 'control', '__proto__')
    fc.assert(
      fc.property(
        types,
        hostile,
        fc.dictionary(fc.constantFrom('done', 'status', 'id', 'message', 'result', 'metadata'), hostile),
        (type, any, fields) => {
          eventSchema.safeParse(any)
          eventSchema.safeParse({ ...fields, type })
        },
      ),
    )
  })

  test('what is no event is refused', () => {
    for (const value of [undefined, null, 1, 'progress', [], [full[0]], {}, { type: 'control', cancelRequested: true }])
      expect(takes(value)).toBe(false)
    for (const type of ['__proto__', 'constructor', 'Progress', '', null, ['progress']])
      expect(takes({ ...full[0], type })).toBe(false)
  })

  test('null clears what can be cleared, and is refused elsewhere', () => {
    const cleared = Object.fromEntries(
      full.map((event) => [event.type, Object.keys(event).filter((key) => takes({ ...event, [key]: null }))]),
    )
    expect(cleared).toEqual({
      progress: ['total', 'succeeded', 'failed', 'unit', 'message'],
      status: ['message', 'result', 'metadata'],
      item: ['label', 'progress', 'message', 'error'],
      step: ['label', 'done', 'total', 'message', 'weight'],
      error: [],
      log: [],
    })
  })

  test('item and step that say nothing are refused; null says something, undefined does not', () => {
    for (const type of ['item', 'step']) {
      expect(faults({ type, id: 'a' })).toEqual([': needs at least one field beside type and id'])
      expect(takes({ type, id: 'a', label: undefined })).toBe(false)
      expect(takes({ type, id: 'a', label: null })).toBe(true)
      expect(takes({ type, id: 'a', status: 'pending' })).toBe(true)
    }
  })
})

describe('eventSchema: numbers', () => {
  const amounts = [
    ['progress', ['done', 'total', 'succeeded', 'failed']],
    ['step', ['done', 'total', 'weight']],
  ] as const

  test('amounts are finite and at least 0', () => {
    for (const [type, keys] of amounts) {
      for (const key of keys) {
        const accepts = (value: unknown) => takes({ ...fullOf(type), [key]: value })
        for (const value of [0, 0.5, 1, Number.MAX_VALUE, Number.MIN_VALUE]) expect(accepts(value)).toBe(true)
        for (const value of [
          -1,
          -Number.MIN_VALUE,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          1n,
          '1',
        ])
          expect(accepts(value)).toBe(false)
      }
    }
  })

  test('a number in JSON that overflows is refused', () => {
    expect(takes(JSON.parse('{"type":"progress","done":1e999}'))).toBe(false)
    expect(takes(JSON.parse('{"type":"progress","done":1,"total":1e999}'))).toBe(false)
  })

  test('progress of an item is a percentage', () => {
    const accepts = (progress: number) => takes({ type: 'item', id: 'a', progress })
    expect([0, 99.9, 100].map(accepts)).toEqual([true, true, true])
    expect([-0.1, 100.1, Number.NaN, 1e9].map(accepts)).toEqual([false, false, false, false])
  })
})

describe('eventSchema: bounds of text', () => {
  /** Text of exactly so many bytes of UTF-8, made of `unit`s and filled up with ASCII. */
  const ofBytes = (bytes: number, unit: string) => {
    const size = new TextEncoder().encode(unit).length
    return unit.repeat(Math.floor(bytes / size)) + 'x'.repeat(bytes % size)
  }
  const names = [
    ['progress', 'unit'],
    ['status', 'title'],
    ['item', 'id'],
    ['item', 'label'],
    ['step', 'id'],
    ['step', 'label'],
    ['error', 'code'],
    ['error', 'itemId'],
  ] as const
  const messages = [
    ['progress', 'message'],
    ['status', 'message'],
    ['item', 'message'],
    ['item', 'error'],
    ['step', 'message'],
    ['error', 'message'],
    ['log', 'message'],
  ] as const

  for (const [fields, bytes, words] of [
    [names, defaultLimits.titleBytes, 'names'],
    [messages, defaultLimits.messageBytes, 'messages'],
  ] as const) {
    for (const unit of ['a', 'é', '中', '😀', '\ud800', '\0']) {
      test(`${words} of ${JSON.stringify(unit)} may be ${bytes} bytes, and not one more`, () => {
        for (const [type, key] of fields) {
          expect(takes({ ...fullOf(type), [key]: ofBytes(bytes, unit) })).toBe(true)
          expect(faults({ ...fullOf(type), [key]: ofBytes(bytes + 1, unit) })).toEqual([
            `${key}: must be at most ${bytes} bytes`,
          ])
        }
      })
    }
  }

  test('names must hold more than blanks; messages may be empty', () => {
    for (const [type, key] of names)
      for (const blank of ['', ' ', '\t\r\n', '\u00a0\u2003\ufeff'])
        expect(faults({ ...fullOf(type), [key]: blank })).toEqual([`${key}: must not be empty`])
    for (const [type, key] of messages) expect(takes({ ...fullOf(type), [key]: '' })).toBe(true)
  })

  test('half a surrogate pair becomes U+FFFD, as it would in any store', () => {
    for (const [type, key] of [...names, ...messages]) {
      const parsed = eventSchema.parse({ ...fullOf(type), [key]: 'a\ud83db\ude00' })
      expect((parsed as Record<string, unknown>)[key]).toBe('a\ufffdb\ufffd')
    }
  })

  test('the limits are those that the schema is made with', () => {
    const schema = createEventSchema({
      ...defaultLimits,
      titleBytes: 4,
      messageBytes: 5,
      resultBytes: 6,
      metadataBytes: 7,
    })
    const accepts = (fields: object) =>
      schema.safeParse({ ...fullOf('status'), result: 1, metadata: {}, title: 't', ...fields }).success
    expect([accepts({ title: '1234' }), accepts({ title: '12345' })]).toEqual([true, false])
    expect([accepts({ message: '12345' }), accepts({ message: '123456' })]).toEqual([true, false])
    expect([accepts({ result: '1234' }), accepts({ result: '12345' })]).toEqual([true, false])
    expect([accepts({ metadata: { a: 1 } }), accepts({ metadata: { a: 12 } })]).toEqual([true, false])
  })
})

describe('eventSchema: result and metadata', () => {
  const status = (fields: object) => ({ type: 'status', status: 'completed', ...fields })
  const nested = (levels: number, core: unknown = 1): unknown => (levels === 0 ? core : [nested(levels - 1, core)])

  test('result may be any JSON, null too', () => {
    for (const result of [null, true, 0, -1.5, '', 'text', [], [1, [2]], {}, { a: { b: null } }])
      expect(eventSchema.parse(status({ result }))).toStrictEqual(status({ result }) as never)
  })

  test('metadata is an object', () => {
    for (const metadata of [true, 0, 'text', [], [1]]) expect(takes(status({ metadata }))).toBe(false)
    expect(eventSchema.parse(status({ metadata: {} }))).toStrictEqual(status({ metadata: {} }) as never)
  })

  test('result may be 65,536 bytes of JSON, metadata 16,384, and not one more', () => {
    const around = { result: '""'.length, metadata: '{"a":""}'.length }
    const accepts = (key: 'result' | 'metadata', bytes: number, unit: string) => {
      const size = new TextEncoder().encode(unit).length
      const room = bytes - around[key]
      const filled = unit.repeat(Math.floor(room / size)) + 'x'.repeat(room % size)
      return faults(status({ [key]: key === 'result' ? filled : { a: filled } }))
    }
    for (const unit of ['x', '中', '😀']) {
      expect(accepts('result', 65_536, unit)).toBeUndefined()
      expect(accepts('result', 65_537, unit)).toEqual(['result: must be at most 65536 bytes of JSON'])
      expect(accepts('metadata', 16_384, unit)).toBeUndefined()
      expect(accepts('metadata', 16_385, unit)).toEqual(['metadata: must be at most 16384 bytes of JSON'])
    }
  })

  test('result and metadata are measured as they are written: what JSON escapes counts with its escapes', () => {
    expect(takes(status({ result: '\n'.repeat(32_767) }))).toBe(true)
    expect(takes(status({ result: '\n'.repeat(32_768) }))).toBe(false)
    expect(takes(status({ result: '\0'.repeat(10_923) }))).toBe(false)
  })

  test('result and metadata are nested 32 deep at most', () => {
    expect(takes(status({ result: nested(32) }))).toBe(true)
    expect(faults(status({ result: nested(33) }))).toEqual(['result: must be nested at most 32 deep'])
    expect(takes(status({ metadata: { a: nested(31) } }))).toBe(true)
    expect(faults(status({ metadata: { a: nested(32) } }))).toEqual(['metadata: must be nested at most 32 deep'])
  })

  test('nesting of 10,000 levels overflows no stack, in any field', () => {
    const deep = `${'['.repeat(10_000)}1${']'.repeat(10_000)}`
    const deepObject = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    for (const text of [deep, deepObject]) {
      expect(takes(JSON.parse(text))).toBe(false)
      for (const event of full)
        for (const key of Object.keys(event)) expect(takes({ ...event, [key]: JSON.parse(text) })).toBe(false)
      expect(takes(status({ metadata: { a: JSON.parse(text) } }))).toBe(false)
    }
  })

  test('a key __proto__ changes no prototype: metadata drops it, deeper down and in result it is a key like any other', () => {
    const parse = (text: string) => eventSchema.parse(JSON.parse(text)) as { result?: object; metadata?: object }
    const { metadata } = parse(
      '{"type":"status","status":"running","metadata":{"__proto__":{"x":1},"constructor":{"y":2}}}',
    )
    expect(JSON.stringify(metadata)).toBe('{"constructor":{"y":2}}')
    const deeper = parse('{"type":"status","status":"running","metadata":{"a":{"__proto__":{"x":1}}}}').metadata
    expect(JSON.stringify(deeper)).toBe('{"a":{"__proto__":{"x":1}}}')
    const { result } = parse('{"type":"status","status":"running","result":{"__proto__":{"x":1}}}')
    expect(JSON.stringify(result)).toBe('{"__proto__":{"x":1}}')
    for (const value of [metadata, deeper, result]) expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect('x' in {}).toBe(false)
  })

  test('what JSON can not say is refused, and never thrown at the one who reports', () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const shut = {
      get read() {
        throw new Error('shut')
      },
    }
    for (const value of [() => 1, Symbol('s'), 1n, { a: 1n }, shut])
      expect(faults(status({ result: value }))).toEqual(['result: must be JSON'])
    expect(faults(status({ metadata: { a: 1n } }))).toEqual(['metadata: must be JSON'])
    expect(faults(status({ result: circular }))).toEqual(['result: must be nested at most 32 deep'])
  })

  test('result and metadata are kept as JSON has them, apart from the objects that were given', () => {
    const given = { at: new Date(0), left: undefined, call: () => 1, list: [Number.NaN, undefined], inner: { n: 1 } }
    const { result, metadata } = eventSchema.parse(status({ result: given, metadata: given })) as Record<
      string,
      unknown
    >
    given.inner.n = 2
    const kept = { at: '1970-01-01T00:00:00.000Z', list: [null, null], inner: { n: 1 } }
    expect(result).toStrictEqual(kept)
    expect(metadata).toStrictEqual(kept)
  })
})
