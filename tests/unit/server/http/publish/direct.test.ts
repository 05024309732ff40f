import { describe, expect, spyOn, test } from 'bun:test'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'

const options = { hstsSeconds: 60, origins: ['https://a.example'], limits: { publishesPerSecond: 15 } }

/** An app, and one whose log of requests leaves all of them to the router. */
async function apps() {
  const [direct, routed] = [new TestApp(options), new TestApp({ ...options, onRequest: () => {} })]
  for (const app of [direct, routed]) await app.create({ id: 'job-1' })
  return { direct, routed }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const progress = '{"type":"progress","done":3,"total":9}'

/** What a request to publish has beyond the usual. */
interface Sent {
  job?: string
  method?: string
  query?: string
  body?: string | Uint8Array<ArrayBuffer>
  headers?: Record<string, string>
}

function requestOf(token: string, { job = 'job-1', method = 'POST', query = '', body = progress, headers = {} }: Sent) {
  const content = typeof body === 'string' ? bytes(body) : body
  const sent: Record<string, string> = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': `${content.length}`,
    'x-request-id': 'r1',
    ...headers,
  }
  const url = `http://localhost/api/jobs/${job}/events${query}`
  return new Request(url, { method, headers: sent, ...(method === 'GET' ? {} : { body: content }) })
}

/** Everything that a client sees, without the random part of a request id. */
async function seen(response: Response) {
  const headers = Object.fromEntries(response.headers)
  headers['x-request-id'] = headers['x-request-id']?.replace(/^[\w-]{36}$/, 'a UUID') ?? 'none'
  return { status: response.status, headers, body: await response.text() }
}

const requests: Record<string, Sent> = {
  'an event': {},
  'an array': { body: `[${progress},{"type":"log","message":"m"}]` },
  'a key': { headers: { 'idempotency-key': 'k1' } },
  'the key again': { headers: { 'idempotency-key': 'k1' } },
  'the key with another body': { headers: { 'idempotency-key': 'k1' }, body: '{"type":"progress","done":4}' },
  'an invalid key': { headers: { 'idempotency-key': 'é' } },
  'an id that is a token': { headers: { 'x-request-id': 'mpst_watch_a' } },
  'an invalid event': { body: '[{"type":"progress","done":-1}]' },
  'no JSON': { body: '{' },
  'no UTF-8': { body: new Uint8Array([0x22, 0xff, 0x22]) },
  'no body': { body: '' },
  'no such job': { job: 'job-2' },
  'no id': { job: '..' },
  'an encoded id': { job: 'job%2D1' },
  'an epoch': { query: '?epoch=0' },
  'another method': { method: 'PUT' },
  'no token': { headers: { authorization: '' } },
  'an unknown token': { headers: { authorization: 'Bearer mpst_a' } },
  'no type': { headers: { 'content-type': '' } },
  'a type with a parameter': { headers: { 'content-type': 'application/json; charset=utf-8' } },
  lines: { headers: { 'content-type': 'application/x-ndjson' }, body: `${progress}\n${progress}` },
  'a compressed body': { headers: { 'content-encoding': 'gzip' } },
  'an origin': { headers: { origin: 'https://a.example' } },
  'a large body': { body: `{"type":"log","message":"${'m'.repeat(8_000)}"}${' '.repeat(16_000)}` },
  'a body that is too long': { headers: { 'content-length': '9999999' } },
  'the end': { body: '{"type":"status","status":"completed"}' },
  'an event after the end': {},
}

describe('answerDirectly', () => {
  test('answerDirectly answers and counts as the route does, whatever is sent, and refuses what comes too often', async () => {
    const { direct, routed } = await apps()
    const token = await direct.token
    const statuses = new Map<string, number>()
    for (const [name, sent] of [
      ...Object.entries(requests),
      ...Array.from({ length: 20 }, () => ['more', {}] as const),
    ]) {
      const [ours, theirs] = await Promise.all(
        [direct, routed].map(async ({ app }) => seen(await app.fetch(requestOf(token, sent)))),
      )
      expect({ name, ...ours }).toEqual({ name, ...theirs })
      statuses.set(name, ours?.status ?? 0)
    }
    expect(statuses.get('the end')).toBe(200)
    expect(statuses.get('more')).toBe(429)
    expect(new Set(statuses.values())).toEqual(new Set([200, 400, 401, 404, 409, 413, 415, 422, 429]))
    const admin = { authorization: `Bearer ${await virtualToken('root', 'jobs:admin')}` }
    const metrics = await Promise.all(
      [direct, routed].map(async ({ app }) => (await app.request('/metrics', { headers: admin })).text()),
    )
    expect(metrics[0]).toContain('milepost_')
    expect(metrics[0]).toBe(metrics[1] ?? '')
  })

  test('answerDirectly uses no router for the usual request once its token is cached', async () => {
    const { direct } = await apps()
    const match = spyOn(direct.app.router, 'match')
    const response = await direct.app.fetch(requestOf(await direct.token, {}))
    expect(response.status).toBe(200)
    expect(response.headers.get('x-request-id')).toBe('r1')
    expect(match).not.toHaveBeenCalled()
    await direct.app.fetch(requestOf(await direct.token, { query: '?' }))
    expect(match).toHaveBeenCalledTimes(1)
  })
})
