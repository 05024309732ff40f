import { describe, expect, spyOn, test } from 'bun:test'
import { Hono } from 'hono'
import type { AppOptions } from '../../../../../server/app.ts'
import type { RequestRecord } from '../../../../../server/http/request/request-log.ts'
import { RawConnection } from '../../../../support/raw-connection.ts'
import { cookieOf } from '../../../../support/sign-in.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const failure = new Error('no room for logs')

function logged(options: Partial<AppOptions> = {}) {
  const records: RequestRecord[] = []
  const test = new TestApp({ onRequest: (record) => records.push(record), ...options })
  return { test, records }
}

describe('createApp with onRequest', () => {
  test('onRequest gets a record of each request, whichever way it goes', async () => {
    const { test, records } = logged()
    const { id } = await test.create({ id: 'a~job' })
    await test.publish(id, { type: 'progress', done: 1 })
    await test.publish(id, { type: 'nonsense' } as never)
    await test.request('GET', '/api/jobs/none')
    await test.app.request('/api/jobs?limit=1')
    await test.app.request('/nothing')
    await test.app.request('/healthz')
    const stream = await test.request('GET', `/api/jobs/${encodeURIComponent(id)}/progress?since=x`)
    await stream.body?.cancel()
    const shown = records.map(({ level, method, path, status, sub, job, problem }) =>
      [level, method, path, status, sub, job, problem?.split(':').at(-1)].filter((part) => part !== undefined),
    )
    expect(shown).toEqual([
      ['info', 'POST', '/api/jobs', 201, 'ada'],
      ['info', 'POST', '/api/jobs/a~job/events', 200, 'ada', 'a~job'],
      ['warn', 'POST', '/api/jobs/a~job/events', 422, 'ada', 'a~job', 'invalid'],
      ['warn', 'GET', '/api/jobs/none', 404, 'ada', 'none', 'not-found'],
      ['warn', 'GET', '/api/jobs', 401, 'unauthenticated'],
      ['warn', 'GET', '/nothing', 404, 'not-found'],
      ['info', 'GET', '/healthz', 200],
      ['info', 'GET', '/api/jobs/a~job/progress', 200, 'ada', 'a~job'],
    ])
    for (const { at, ms, requestId } of records) {
      expect([at, ms, requestId]).toEqual(['2026-01-01T00:00:00.000Z', 0, expect.stringMatching(/^[\w-]{36}$/)])
    }
  })

  test('onRequest gets preflights, of allowed origins and of others', async () => {
    const { test, records } = logged({ origins: ['https://a.example'] })
    for (const origin of ['https://a.example', 'https://evil.example']) {
      const headers = { origin, 'access-control-request-method': 'POST' }
      expect((await test.app.request('/api/jobs', { method: 'OPTIONS', headers })).status).toBe(204)
    }
    expect((await test.request('GET', '/api/jobs', undefined, { origin: 'https://a.example' })).status).toBe(200)
    expect(records.map(({ method, path, status, sub }) => [method, path, status, sub])).toEqual([
      ['OPTIONS', '/api/jobs', 204, undefined],
      ['OPTIONS', '/api/jobs', 204, undefined],
      ['GET', '/api/jobs', 200, 'ada'],
    ])
  })

  test('onRequest gets the principal of pages and metrics too', async () => {
    const { test, records } = logged({
      assets: { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' },
    })
    const code = test.app.createSignInCode({ sub: 'bob', scopes: ['jobs:read'] })
    const cookie = cookieOf(await test.app.request(`/sign-in?code=${code}`))
    await test.app.request('/', { headers: { cookie } })
    await test.request('GET', '/metrics')
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    await test.app.request('/metrics', { headers: { authorization } })
    expect(records.slice(1).map(({ path, status, sub }) => [path, status, sub])).toEqual([
      ['/', 200, 'bob'],
      ['/metrics', 403, 'ada'],
      ['/metrics', 200, 'root'],
    ])
  })

  test('onRequest gets no token, wherever somebody writes one', async () => {
    const { test, records } = logged()
    const { id } = await test.create()
    const { token } = (await (await test.request('POST', `/api/jobs/${id}/tokens`, {})).json()) as { token: string }
    await test.app.request(`/api/jobs/${id}?token=${token}`)
    await test.app.request(`/api/jobs/${token}`)
    const signed = await virtualToken('ada')
    await test.app.request(`/api/jobs/${signed}/progress`)
    await test.app.request(`/${signed}`)
    await test.request('POST', '/api/jobs', { kind: 'k', title: 't', [token]: 1 })
    await test.app.request('/sign-in?code=abcdefghijklmnop')
    const authorization = `Bearer ${await virtualToken(token, 'jobs:read')}`
    await test.app.request('/api/jobs', { headers: { authorization } })
    const cookie = `mpst_session_${'0'.repeat(16)}${'abcdefghij'.repeat(3)}`
    const named = await test.app.request('/healthz', { headers: { 'x-request-id': cookie } })
    expect(named.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const text = JSON.stringify(records)
    expect(text).not.toContain(token.slice(-40))
    for (const part of signed.split('.')) expect(text).not.toContain(part)
    expect(text).not.toContain('abcdefghij')
    expect(text).toContain('mpst_watch_…')
  })

  test('onRequest gets the trace of a valid traceparent, of later versions too, and a span of its own', async () => {
    const { test, records } = logged()
    const valid = [
      [`00-${TRACE}-${SPAN}-01`, true],
      [`00-${TRACE}-${SPAN}-02`, false],
      [`00-${TRACE}-${SPAN}-ff`, true],
      [`cc-${TRACE}-${SPAN}-01`, true],
      [`cc-${TRACE}-${SPAN}-00-what-comes-later`, false],
    ] as const
    const invalid = [
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-01-more`,
      `cc-${TRACE}-${SPAN}-01more`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      'x',
      '',
    ]
    for (const traceparent of [...valid.map(([header]) => header), ...invalid])
      await test.app.request('/healthz', { headers: { traceparent } })
    expect(records.map(({ traceId, parentSpanId, sampled }) => [traceId, parentSpanId, sampled])).toEqual([
      ...valid.map(([, sampled]) => [TRACE, SPAN, sampled]),
      ...invalid.map(() => [undefined, undefined, undefined]),
    ])
    const spans = records.slice(0, valid.length).map(({ spanId }) => spanId)
    expect(spans).toEqual(valid.map(() => expect.stringMatching(/^(?!0{16})[0-9a-f]{16}$/)))
    expect(new Set([SPAN, ...spans]).size).toBe(valid.length + 1)
  })

  test('onRequest gets the route of a request, which has no ids, also where the app is mounted', async () => {
    const { test, records } = logged()
    const { id } = await test.create()
    await test.publish(id, { type: 'progress', done: 1 })
    await test.request('DELETE', `/api/jobs/${id}`)
    await test.request('GET', '/nothing')
    await new Hono().route('/progress', test.app).request('/progress/api/jobs/x')
    expect(records.map(({ route }) => route)).toEqual([
      '/api/jobs',
      '/api/jobs/:id/events',
      '/api/jobs/:id',
      '/*',
      '/progress/api/jobs/:id',
    ])
  })

  test('a trace is given on to the identity provider, as a child of the span of the request', async () => {
    const asked = Promise.withResolvers<string | null>()
    using provider = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ headers }) => {
        asked.resolve(headers.get('traceparent'))
        return new Response(null, { status: 503 })
      },
    })
    const oidc = { issuer: provider.url.origin, clientId: 'dashboard', clientSecret: 'secret' }
    const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }
    const { test, records } = logged({ oidc, assets, publicOrigin: 'https://progress.example.com' })
    const headers = { traceparent: `00-${TRACE}-${SPAN}-01` }
    expect((await test.app.request('/sign-in/provider', { headers })).status).toBe(401)
    expect(await asked.promise).toBe(`00-${TRACE}-${records[0]?.spanId}-01`)
    expect(records[0]?.spanId).not.toBe(SPAN)
  })

  test('onError gets the id and the trace of a request that failed', async () => {
    const told: unknown[] = []
    const { test, records } = logged({ onError: (...failure) => told.push(failure) })
    const failure = new Error('the disk is on fire')
    test.engine.list = () => Promise.reject(failure)
    await test.request('GET', '/api/jobs', undefined, { traceparent: `00-${TRACE}-${SPAN}-01` })
    await test.request('GET', '/api/jobs')
    const [first, second] = records.map(({ requestId }) => requestId)
    expect(told).toEqual([
      [failure, { requestId: first, traceId: TRACE }],
      [failure, { requestId: second }],
    ])
  })

  test('onRequest gets failures of the server as errors, also where it is mounted in another app', async () => {
    const { test, records } = logged()
    test.engine.list = () => Promise.reject(new Error('the disk is on fire'))
    const outer = new Hono().route('/progress', test.app)
    const headers = { authorization: `Bearer ${await test.token}` }
    expect((await outer.request('/progress/api/jobs', { headers })).status).toBe(500)
    expect(records).toMatchObject([{ level: 'error', path: '/progress/api/jobs', status: 500, sub: 'ada' }])
    expect(JSON.stringify(records)).not.toContain('fire')
  })

  test('onRequest gets the path of a URL that cannot be parsed, and the response stays as it is', async () => {
    const { test, records } = logged()
    const headers = { authorization: `Bearer ${await test.token}` }
    for (const url of ['http://localhost:99999/api/jobs?limit=1', 'http://[::1]evil/ä b/../\ud800#x', 'http://%']) {
      const request = new Request('http://localhost/', { headers })
      Object.defineProperty(request, 'url', { value: url })
      expect((await test.app.fetch(request)).status).toBe(url.includes('api') ? 200 : 404)
    }
    expect(records.map(({ path }) => path)).toEqual(['/api/jobs', '/%C3%A4%20b/../%EF%BF%BD', '/'])
    expect(test.errors).toEqual([])
  })

  test('onRequest does not change the response to a request with a malformed Host, on Bun', async () => {
    const { test, records } = logged()
    const { id } = await test.create({ id: 'job' })
    await using server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => test.app.fetch(request) })
    const event = '{"type":"progress","done":1}'
    for (const host of ['localhost:99999', '%', '[::1]evil']) {
      const common = [`host: ${host}`, `authorization: Bearer ${await test.token}`]
      const publish = await RawConnection.open(server.url.href)
      const type = ['content-type: application/json', `content-length: ${event.length}`]
      publish.write([`POST /api/jobs/${id}/events HTTP/1.1`, ...common, ...type, '', event].join('\r\n'))
      await publish.receive(/"version"|urn:milepost/)
      const stream = await RawConnection.open(server.url.href)
      stream.write([`GET /api/jobs/${id}/progress HTTP/1.1`, ...common, '', ''].join('\r\n'))
      await stream.receive(/event: snapshot|urn:milepost/)
      expect([publish.text, stream.text]).toEqual([
        expect.stringMatching(/^HTTP\/1.1 200 /),
        expect.stringContaining('event: snapshot'),
      ])
      publish.destroy()
      stream.destroy()
    }
    expect(records.slice(1).map(({ path, status }) => [path, status])).toEqual(
      Array(3)
        .fill([
          ['/api/jobs/job/events', 200],
          ['/api/jobs/job/progress', 200],
        ])
        .flat(),
    )
  })

  test.each([
    [
      'throws',
      () => {
        throw failure
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ])('a callback that %s changes no response, ends no process, and is reported to the operator', async (_, fail) => {
    const test = new TestApp({ onRequest: fail, onAudit: fail })
    const { id } = await test.create()
    expect((await test.publish(id, { type: 'progress', done: 1 })).status).toBe(200)
    const stream = await test.request('GET', `/api/jobs/${id}/progress`)
    const { value } = (await stream.body?.getReader().read()) ?? {}
    expect([stream.status, new TextDecoder().decode(value)]).toEqual([200, expect.stringContaining('retry: ')])
    expect(test.errors).toEqual([failure, failure, failure])
    expect((await test.request('POST', `/api/jobs/${id}/tokens`, {})).status).toBe(201)
    expect(test.errors).toEqual(Array(5).fill(failure))
    const headers = { authorization: `Bearer ${await virtualToken('root', 'jobs:admin')}` }
    expect(await (await test.app.request('/api/audit', { headers })).json()).toMatchObject({
      records: [{ action: 'token-created', job: id }],
    })
  })

  test.each([
    [
      'throws',
      () => {
        throw failure
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ])('onError that %s changes no response, and is written to the server log', async (_, fail) => {
    const spy = spyOn(console, 'error').mockImplementation(() => {})
    try {
      const test = new TestApp({ onError: fail })
      test.engine.list = () => Promise.reject(new Error('the disk is on fire'))
      expect((await test.request('GET', '/api/jobs')).status).toBe(500)
      expect(spy.mock.calls as unknown[]).toEqual([[failure]])
    } finally {
      spy.mockRestore()
    }
  })
})
