import { describe, expect, test } from 'bun:test'
import { flawsOfAnswer } from '../../../../shared/document/answer-flaws.ts'
import { type AnswerValue, type AskSchema, answerValueSchema } from '../../../../shared/document/ask-schema.ts'
import { closedAsks, isWaiting, openAsks } from '../../../../shared/document/asks.ts'
import { eventSchema, type JobEvent } from '../../../../shared/document/events.ts'
import { foldAll, instantOf, newDocument, placed } from '../../../arbitraries.ts'

const ask = (id: string, fields: object = {}): JobEvent => ({ type: 'ask', id, message: `${id}?`, ...fields })
const answer = (ask: string, value?: AnswerValue): JobEvent =>
  value === undefined ? { type: 'answer', ask } : { type: 'answer', ask, value, by: 'ada' }
const running: JobEvent = { type: 'status', status: 'running' }
const after = (...events: JobEvent[]) => foldAll(newDocument(), placed(events))

describe('foldAsks', () => {
  test('an ask is open until it is answered or expires, once; its job waits meanwhile', () => {
    const asked = after(running, ask('a'), ask('b', { expiresAt: instantOf(50) }))
    expect([isWaiting(asked), asked.openAsks, openAsks(asked).map(({ id }) => id)]).toEqual([true, 2, ['a', 'b']])
    const closed = after(
      running,
      ask('a'),
      ask('b'),
      answer('a', true),
      answer('b'),
      answer('a', false),
      answer('c', 1),
    )
    expect(closed.asks).toEqual([
      { id: 'a', version: 5, at: instantOf(3), message: 'a?', answer: { value: true, by: 'ada', at: instantOf(5) } },
      { id: 'b', version: 6, at: instantOf(4), message: 'b?', expired: true },
    ])
    expect([isWaiting(closed), closed.openAsks]).toEqual([false, undefined])
    expect(closedAsks(closed)).toEqual([
      { ask: 'a', value: true, by: 'ada' },
      { ask: 'b', expired: true },
    ])
    expect(after(answer('c', 1)).asks).toBeUndefined()
  })

  test('an ask that comes again replaces an open one, and changes none that is closed', () => {
    expect(after(ask('a'), ask('a', { message: 'Sure?' })).asks).toMatchObject([{ version: 3, message: 'Sure?' }])
    const answered = after(ask('a'), answer('a', true), ask('a', { message: 'Sure?' }))
    expect(answered.asks).toMatchObject([{ version: 3, message: 'a?', answer: { value: true } }])
  })

  test('asks end with their job, and stay in the document', () => {
    const ended = after(running, ask('a'), { type: 'status', status: 'completed' })
    expect([isWaiting(ended), ended.openAsks, ended.asks?.length]).toEqual([false, undefined, 1])
  })

  test('the asks that were closed first go first when there are too many, or too long ones', () => {
    const many = Array.from({ length: 120 }, (_, n) => [ask(`${n}`), answer(`${n}`, true)]).flat()
    const { asks = [] } = after(ask('open'), ...many)
    expect([asks.length, asks[0]?.id, asks[1]?.id, asks.at(-1)?.id]).toEqual([100, 'open', '21', '119'])
    const long = Array.from({ length: 8 }, (_, n) => [
      ask(`${n}`, { message: 'x'.repeat(5_000) }),
      answer(`${n}`, true),
    ])
    const first = ask('first', { message: 'x'.repeat(5_000) })
    expect(after(first, ...long.flat(), answer('first', true)).asks?.map(({ id }) => id)).toEqual([
      'first',
      ...['3', '4', '5', '6', '7'],
    ])
  })

  test('producers hear of what was closed last, however long ago it was asked', () => {
    const others = Array.from({ length: 20 }, (_, n) => [ask(`${n}`), answer(`${n}`, true)]).flat()
    const closed = closedAsks(after(ask('first'), ...others, answer('first', true)))
    expect([closed?.length, closed?.[0]?.ask, closed?.at(-1)?.ask]).toEqual([20, '1', 'first'])
    const again = closedAsks(after(ask('first'), answer('first', 3), ...others), [ask('first'), ask('new')])
    expect([again?.length, again?.[0]]).toEqual([21, { ask: 'first', value: 3, by: 'ada' }])
  })

  test('the longest answer is kept beside the longest open asks', () => {
    const open = [ask('a', { message: 'x'.repeat(8_000) }), ask('b', { message: 'x'.repeat(7_800) })]
    const { asks } = after(...open, ask('c', { schema: { type: 'string' } }), answer('c', 'x'.repeat(9_998)))
    expect(asks?.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })
})

test('flawsOfAnswer names each field that is not as the schema wants it', () => {
  const object: AskSchema = {
    type: 'object',
    properties: {
      reason: { type: 'string', minLength: 2, maxLength: 3 },
      size: { type: 'string', enum: ['s', 'm'] },
      count: { type: 'integer', minimum: 1, maximum: 9 },
      share: { type: 'number' },
      sure: { type: 'boolean' },
    },
    required: ['sure'],
  }
  const cases: [AskSchema | undefined, AnswerValue, string[]][] = [
    [undefined, true, []],
    [undefined, 'yes', ['value must be true or false']],
    [{ type: 'string' }, 'x'.repeat(8_193), ['value must have at most 8192 characters']],
    [{ type: 'string' }, 'x'.repeat(8_192), []],
    [{ type: 'string' }, '"'.repeat(8_000), ['value must be at most 10000 characters of JSON']],
    [{ type: 'integer' }, 1.5, ['value must be a whole number']],
    [{ type: 'number' }, Number.POSITIVE_INFINITY, ['value must be a number']],
    [object, true, ['value must be an object']],
    [object, { sure: true }, []],
    [object, { sure: true, reason: 'abc', size: 'm', count: 9, share: 0.5 }, []],
    [object, {}, ['value.sure is required']],
    [
      object,
      { sure: 1, reason: 'a', size: 'l', count: 10, share: '1', toString: 'x' },
      [
        'value.reason must have at least 2 characters',
        'value.size must be one of: s, m',
        'value.count must be at most 9',
        'value.share must be a number',
        'value.sure must be true or false',
        'value.toString is not a known field',
      ],
    ],
  ]
  for (const [schema, value, flaws] of cases)
    expect(flawsOfAnswer(schema, value).map(({ field, detail }) => `${field} ${detail}`)).toEqual(flaws)
})

test('an ask that nobody could answer is refused, and so are names that objects inherit; the field is named', () => {
  const properties = { a: { type: 'string' } }
  const cases: [object, string | undefined][] = [
    [{ schema: { type: 'object', properties, required: ['a'] } }, undefined],
    [{ schema: { type: 'object', properties, required: ['b'] } }, 'schema.required'],
    [{ schema: { type: 'object', properties, required: ['toString'] } }, 'schema.required'],
    [
      { schema: { type: 'object', properties: JSON.parse('{"a":{"type":"boolean"},"__proto__":{}}') } },
      'schema.properties.__proto__',
    ],
    [{ schema: {} }, 'schema.type'],
    [{ schema: { type: 'string', enum: Array.from({ length: 51 }, String) } }, 'schema.enum'],
    [{ schema: { type: 'object', properties: { a: { type: 'array' } } } }, 'schema.properties.a.type'],
    [{ schema: { type: 'object', properties: { '': { type: 'string' } } } }, 'schema.properties.'],
    [{ schema: { type: 'string', minLength: 3, maxLength: 2 } }, 'schema.minLength'],
    [{ schema: { type: 'number', minimum: 1.1, maximum: 1.9 } }, undefined],
    [{ schema: { type: 'integer', minimum: 1.1, maximum: 1.9 } }, 'schema.minimum'],
    [{ id: '..' }, 'id'],
  ]
  for (const [fields, field] of cases) {
    const { error } = eventSchema.safeParse({ type: 'ask', id: 'a', message: 'a?', ...fields })
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(field === undefined ? undefined : [field])
  }
  expect(answerValueSchema.safeParse(JSON.parse('{"a":1,"__proto__":{"b":1}}')).success).toBe(false)
})
