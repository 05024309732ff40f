import { describe, expect, test } from 'bun:test'
import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { EventStreamParser } from '../../../event-stream-parser.ts'
import { TestApp } from '../../../support/test-app.ts'
import { virtualToken } from '../../../support/tokens.ts'

async function figuresOf({ app }: TestApp): Promise<OperatorFigures> {
  const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
  const response = await app.request('/api/operator', { headers: { authorization } })
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  return (await response.json()) as OperatorFigures
}

describe('GET /api/operator', () => {
  test('GET /api/operator tells who follows what, by view, and guests by their job', async () => {
    const test = new TestApp()
    const { id } = await test.create({ id: 'j' })
    const { token } = (await (await test.request('POST', `/api/jobs/${id}/tokens`, {})).json()) as { token: string }
    const paths = [
      `/api/jobs/${id}/progress`,
      `/api/jobs/${id}/progress?parts=header`,
      '/api/progress',
      `/api/progress?job=${id}`,
    ]
    const open = await Promise.all(paths.map((path) => test.request('GET', path)))
    open.push(await test.app.request(`/api/jobs/${id}/progress?token=${token}`))
    const { streams, process } = await figuresOf(test)
    expect(streams).toEqual({
      all: 3,
      header: 1,
      list: 1,
      operator: 0,
      report: 0,
      principals: [{ sub: 'ada', all: 2, header: 1, list: 1, operator: 0, report: 0 }],
      guests: [{ job: 'j', all: 1, header: 0, list: 0, operator: 0, report: 0 }],
      others: 0,
    })
    expect(process).toEqual({ startedAt: '2026-01-01T00:00:00.000Z', version: '0.1.0', engine: 'memory' })
    for (const { body } of open) await body?.cancel()
    expect((await figuresOf(test)).streams).toEqual({
      all: 0,
      header: 0,
      list: 0,
      operator: 0,
      report: 0,
      principals: [],
      guests: [],
      others: 0,
    })
  })

  test('GET /api/operator lists the twenty who follow most, and how many others there are', async () => {
    const test = new TestApp()
    const streams: Response[] = []
    for (let n = 1; n <= 45; n += 1) {
      const authorization = `Bearer ${await virtualToken(`p${n}`)}`
      for (let m = 0; m < (n === 7 ? 3 : n > 40 ? 2 : 1); m += 1) {
        streams.push(await test.app.request('/api/progress', { headers: { authorization } }))
      }
    }
    const { principals, others } = (await figuresOf(test)).streams
    expect([principals.length, others]).toEqual([20, 25])
    expect(principals.slice(0, 6).map(({ sub, list }) => [sub, list])).toEqual([
      ['p7', 3],
      ...[41, 42, 43, 44, 45].map((n): [string, number] => [`p${n}`, 2]),
    ])
    for (const { body } of streams) await body?.cancel()
  })

  test('GET /api/operator has the rates of the last hour, and what the process measures of itself', async () => {
    const family = {
      name: 'milepost_event_loop_delay_max_seconds',
      type: 'gauge' as const,
      help: '',
      samples: { '': 0.004 },
    }
    const test = new TestApp({ processMetrics: () => [family] })
    const { id } = await test.create()
    for (let done = 0; done < 60; done += 1) await test.publish(id, { type: 'progress', done })
    for (let n = 0; n < 15; n += 1) await test.request('GET', '/nothing')
    expect((await figuresOf(test)).history).toEqual({
      seconds: 30,
      events: [],
      publishes: [],
      deliveries: [],
      refusals: [],
      streams: [],
    })
    await test.clock.advance(30_000)
    expect((await figuresOf(test)).history).toEqual({
      seconds: 30,
      until: '2026-01-01T00:00:30.000Z',
      events: [2],
      publishes: [2],
      deliveries: [0],
      refusals: [0.5],
      streams: [0],
      delayMs: [4],
    })
    await test.app.close()
    expect(test.clock.pending).toBe(0)
  })

  test('GET /api/operator counts the jobs of the store at most once in five seconds', async () => {
    const test = new TestApp()
    await test.create({ kind: 'sync' })
    const { id } = await test.create({ kind: 'import' })
    await test.publish(id, { type: 'status', status: 'failed' })
    const { store, limits } = await figuresOf(test)
    expect(store).toEqual({
      countedTo: 10_000,
      byStatus: { pending: 1, failed: 1 },
      byKind: [
        { kind: 'import', jobs: 1 },
        { kind: 'sync', jobs: 1 },
      ],
      creators: [{ sub: 'ada', live: 1, jobs: 2, bytes: 8_192 }],
    })
    expect(limits).toEqual({ streams: 10_000, liveJobs: 10_000, keptJobs: 1_000_000, keptBytes: 68_719_476_736 })
    await test.create()
    expect((await figuresOf(test)).store).toEqual(store)
    await test.clock.advance(5_000)
    expect((await figuresOf(test)).store?.byStatus).toEqual({ pending: 2, failed: 1 })
  })

  test('GET /api/operator/progress streams the same, and the principals who follow it are in it', async () => {
    const test = new TestApp()
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    const ask = () => test.app.request('/api/operator/progress', { headers: { authorization } })
    const { status, headers, body } = await ask()
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const reader = body?.getReader()
    const parser = new EventStreamParser()
    while (parser.dispatched.length < 2) parser.push((await reader?.read())?.value ?? new Uint8Array())
    expect(parser.dispatched.map(({ event }) => event)).toEqual(['snapshot', 'ping'])
    const figures = JSON.parse(parser.dispatched[0]?.data ?? '')
    expect(figures).toEqual(await figuresOf(test))
    expect(figures.streams.principals).toEqual([{ sub: 'root', all: 0, header: 0, list: 0, operator: 1, report: 0 }])
    await reader?.cancel()
    expect((await test.request('GET', '/api/operator/progress')).status).toBe(403)
    expect((await test.app.request('/api/operator/progress')).status).toBe(401)
    const inTenant = `Bearer ${await virtualToken('root', 'jobs:admin', { tenant: 'acme' })}`
    const refused = await test.app.request('/api/operator/progress', { headers: { authorization: inTenant } })
    expect(refused.status).toBe(403)
    await test.app.close()
    expect(test.clock.pending).toBe(0)
  })

  test('GET /api/operator/progress counts against the limit of streams', async () => {
    const test = new TestApp({ limits: { streams: 1 } })
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    const ask = () => test.app.request('/api/operator/progress', { headers: { authorization } })
    const { body } = await ask()
    expect((await ask()).status).toBe(429)
    await body?.cancel()
    const again = await ask()
    expect(again.status).toBe(200)
    await again.body?.cancel()
  })

  test('GET /api/operator is for administrators, and without a history where streams share nothing', async () => {
    const test = new TestApp({ subscriptionsPerStream: 5 })
    expect((await test.request('GET', '/api/operator')).status).toBe(403)
    expect((await test.app.request('/api/operator')).status).toBe(401)
    const figures = await figuresOf(test)
    expect([figures.history, figures.store?.byStatus]).toEqual([undefined, {}])
  })
})
