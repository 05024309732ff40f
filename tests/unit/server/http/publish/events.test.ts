import { describe, expect, spyOn, test } from 'bun:test'
import { defaultLimits } from '../../../../../shared/document/limits.ts'
import { refusalOf } from '../../../../support/api-client.ts'
import { TestApp } from '../../../../support/test-app.ts'

const { eventBytes } = defaultLimits
const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'

async function publisher() {
  const app = new TestApp()
  const { id } = await app.create()
  const headers = { authorization: `Bearer ${await app.token}` }
  return (body: string, type: string) =>
    app.app.request(`/api/jobs/${id}/events`, { method: 'POST', headers: { ...headers, 'content-type': type }, body })
}

/** Events as the body of a publish, in each form. */
const bodiesOf = (events: object[]): [body: string, type: string][] => [
  [JSON.stringify(events), JSON_TYPE],
  [events.map((event) => JSON.stringify(event)).join('\n'), NDJSON_TYPE],
]

describe('POST /api/jobs/:id/events', () => {
  test('POST /api/jobs/:id/events serializes no event to measure it if its text is short enough', async () => {
    const publish = await publisher()
    const events = Array.from({ length: 1_000 }, (_, n) => ({ type: 'log', message: `${n} ${'m'.repeat(100)}` }))
    for (const [body, type] of bodiesOf(events)) {
      expect(body.length).toBeGreaterThan(eventBytes)
      const stringify = spyOn(JSON, 'stringify')
      try {
        expect((await publish(body, type)).status).toBe(200)
        // The events are those without what the server adds.
        const measured = stringify.mock.calls.filter(([value]) => value?.type === 'log' && value.at === undefined)
        expect(measured).toHaveLength(0)
      } finally {
        stringify.mockRestore()
      }
    }
  })

  test('POST /api/jobs/:id/events measures the bytes of an event that may be too long, at any index', async () => {
    const publish = await publisher()
    const short = { type: 'log', message: 'm'.repeat(1_000) }
    const wide = { type: 'log', message: '漢'.repeat(eventBytes / 3) }
    // No number grows more than 1e20, which is written out.
    const numbers = { type: 'status', status: 'completed', result: Array(Math.ceil(eventBytes / 22)).fill(-1e20) }
    for (const long of [wide, numbers]) {
      for (const [body, type] of bodiesOf([short, long, ...Array(100).fill(short)])) {
        const sent = body.replaceAll(`${-1e20}`, '-1e20')
        expect(await refusalOf(await publish(sent, type))).toEqual({ status: 413, fields: ['1'] })
      }
    }
  })

  test('POST /api/jobs/:id/events parses no body that is made of results and metadata, or of fields', async () => {
    const publish = await publisher()
    const result = Array(32_000).fill(0)
    const large = { type: 'status', status: 'running', result }
    expect(await refusalOf(await publish(JSON.stringify([large, large]), JSON_TYPE))).toEqual({
      status: 413,
      fields: ['body'],
    })
    for (const [body, type] of bodiesOf([large, { type: 'log', message: 'm' }]))
      expect((await publish(body, type)).status).toBe(200)
    const wide = { type: 'log', message: 'm', ...Object.fromEntries(Array.from({ length: 40 }, (_, n) => [n, 0])) }
    for (const [body, type] of bodiesOf(Array(100).fill(wide)))
      expect(await refusalOf(await publish(body, type))).toEqual({ status: 422, fields: ['body'] })
    const parse = spyOn(JSON, 'parse')
    try {
      for (const [body, type] of bodiesOf(Array(15).fill(large))) expect((await publish(body, type)).status).toBe(413)
      expect(parse.mock.calls.filter(([text]) => String(text).length > 10_000)).toHaveLength(0)
    } finally {
      parse.mockRestore()
    }
  })

  test('POST /api/jobs/:id/events accepts an event within the limits however it is written', async () => {
    const publish = await publisher()
    const ascii = (text: string) =>
      text.replace(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    const eventOf = (result: unknown) => ({ type: 'status', status: 'running', result })
    const rows = eventOf(Array.from({ length: 5_000 }, (_, row) => [row]))
    const cyrillic = eventOf({ text: 'я'.repeat(30_000) })
    const half = eventOf({ text: 'я'.repeat(15_000) })
    const written = {
      'with white space': JSON.stringify(rows, null, 8),
      'with escapes': ascii(JSON.stringify(cyrillic)),
      'in a batch with escapes': ascii(JSON.stringify([half, half], null, 2)),
      'with digits': JSON.stringify(eventOf(['x'])).replace('"x"', `1.${'0'.repeat(200_000)}`),
      'with repeated keys': JSON.stringify(eventOf({ a: 1 })).replace('"a":1', `${'"a":1,'.repeat(20_000)}"a":1`),
    }
    for (const [how, body] of Object.entries(written)) {
      expect(body.length).toBeGreaterThan(85_000)
      expect([how, (await publish(body, JSON_TYPE)).status]).toEqual([how, 200])
      if (!body.includes('\n')) expect([how, (await publish(body, NDJSON_TYPE)).status]).toEqual([how, 200])
    }
  })
})
