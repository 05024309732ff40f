import { describe, expect, spyOn, test } from 'bun:test'
import { effect } from '@preact/signals-core'
import fc from 'fast-check'
import { sign } from 'hono/jwt'
import type { Environment } from '../../../client/connection/environment.ts'
import { createJobListSignal } from '../../../client/signals/job-list-signal.ts'
import { createJobSignal } from '../../../client/signals/job-signal.ts'
import { createApp } from '../../../server/app.ts'
import { MemoryEngine } from '../../../server/engines/memory.ts'
import type { JobEvent, ProducerEvent } from '../../../shared/document/events.ts'
import type { Job, JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { history } from '../../arbitraries.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { VirtualClock } from '../../virtual-clock.ts'

const secret = 's'.repeat(32)

/** A server and a client in one process and one time, with a network between them that a test can cut. */
async function world(seed: number) {
  const clock = new VirtualClock()
  const random = new SeededRandom(seed)
  const app = createApp({ engine: new MemoryEngine(), auth: { secret }, clock, random })
  const exp = clock.now() / 1_000 + 86_400
  const bearer = await sign({ sub: 'ada', scope: 'jobs:write jobs:read', exp }, secret, 'HS256')
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  // Checking a signature takes real time, which virtual time does not wait for; a token is remembered once it was checked.
  await app.request('/api/jobs', { headers })
  const cables = new Set<() => void>()
  const network = { isDown: false }
  const environment: Environment = {
    clock,
    random,
    frame: (run) => {
      const timer = clock.setTimeout(run, 16)
      return () => clock.clearTimeout(timer)
    },
    async fetch(url, init) {
      if (network.isDown) throw new TypeError('Failed to fetch')
      const response = await app.request(url, init)
      return new Response(response.body ? throughCable(response.body, init?.signal, cables) : null, response)
    },
  }
  const post = (path: string, body: unknown) =>
    app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
  const read = async (id: string) => (await (await app.request(`/api/jobs/${id}`, { headers })).json()) as Job
  const cut = () => {
    for (const one of cables) one()
  }
  return { app, clock, random, environment, bearer, headers, post, read, cut, network }
}

/** A body that breaks when its cable is cut or its request is called off. */
function throughCable(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | null | undefined,
  cables: Set<() => void>,
) {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const cut = () => {
        cables.delete(cut)
        void reader.cancel()
        controller.error(new TypeError('network error'))
      }
      cables.add(cut)
      signal?.addEventListener('abort', cut)
      void (async () => {
        for (let read = await reader.read(); !read.done; read = await reader.read()) controller.enqueue(read.value)
        if (cables.delete(cut)) controller.close()
      })().catch(() => {})
    },
  })
}

describe('createJobSignal with a server', () => {
  test('createJobSignal ends with the document of the server, whatever is published, cut off and left', async () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 12 }) }) },
      { weight: 3, arbitrary: fc.record({ advance: fc.nat({ max: 20_000 }) }) },
      { weight: 2, arbitrary: fc.constant('cut' as const) },
      { weight: 1, arbitrary: fc.constant('down' as const) },
      { weight: 1, arbitrary: fc.constant('leave' as const) },
    )
    let ends = 0
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.array(action, { minLength: 5, maxLength: 25 }),
        fc.nat(),
        async (events, actions, seed) => {
          const { app, clock, environment, bearer, post, read, cut, network } = await world(seed)
          await post('/api/jobs', { id: 'job', kind: 'k', title: 't' })
          const signals = createJobSignal({ jobId: 'job', bearer, environment })
          const watch = () => effect(() => void [signals.job.value, signals.timeLeft.value])
          let stop = watch()
          const waiting = events.filter(isProducerEvent)
          for (const one of actions) {
            if (one === 'cut') cut()
            else if (one === 'down') network.isDown = !network.isDown
            else if (one === 'leave') {
              stop()
              await clock.advance(1_500)
              stop = watch()
            } else if ('advance' in one) await clock.advance(one.advance)
            else if (waiting.length > 0) await post('/api/jobs/job/events', waiting.splice(0, one.publish))
          }
          network.isDown = false
          await clock.advance(120_000)
          const document = await read('job')
          expect(signals.job.value).toEqual(document)
          const isOver = isTerminalStatus(document.status)
          if (isOver) ends += 1
          expect(signals.connection.value).toBe(isOver ? 'ended' : 'live')
          stop()
          await clock.advance(1_000)
          expect(app.hub.open).toEqual({ streams: 0, channels: 0 })
          await app.close()
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
    expect(ends).toBeGreaterThan(0)
  })

  test('createJobSignal ends with the document of the server for each job of one stream, whichever come and go', async () => {
    const ids = ['a', 'b', 'c', 'd']
    const id = fc.constantFrom(...ids)
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ publish: id, done: fc.nat({ max: 100 }) }) },
      { weight: 2, arbitrary: fc.record({ advance: fc.nat({ max: 3_000 }) }) },
      { weight: 2, arbitrary: fc.record({ watch: id }) },
      { weight: 2, arbitrary: fc.record({ leave: id }) },
      { weight: 1, arbitrary: fc.constant('cut' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 30 }), fc.nat(), async (actions, seed) => {
        const { app, clock, environment, bearer, post, read, cut } = await world(seed)
        for (const id of ids) await post('/api/jobs', { id, kind: 'k', title: id })
        const signals = new Map(ids.map((id) => [id, createJobSignal({ jobId: id, bearer, environment })]))
        const stops = new Map<string, () => void>()
        const watch = (id: string) => {
          const job = signals.get(id)?.job
          if (!stops.has(id))
            stops.set(
              id,
              effect(() => void job?.value),
            )
        }
        for (const one of actions) {
          if (one === 'cut') cut()
          else if ('advance' in one) await clock.advance(one.advance)
          else if ('watch' in one) watch(one.watch)
          else if ('leave' in one) {
            stops.get(one.leave)?.()
            stops.delete(one.leave)
          } else {
            await post(`/api/jobs/${one.publish}/events`, [
              { type: 'progress', done: one.done },
              { type: 'item', id: `${one.done % 5}`, status: 'running' },
              { type: 'log', message: `${one.done}` },
            ])
          }
        }
        for (const id of ids) watch(id)
        await clock.advance(120_000)
        // Virtual time does not wait for the processor: on a busy machine streams seem mute, and are polled for five minutes.
        for (let waits = 0; waits < 60 && app.hub.open.channels < 4; waits++) await clock.advance(10_000)
        expect(app.hub.open).toEqual({ streams: 1, channels: 4 })
        for (const id of ids) expect(signals.get(id)?.job.value).toEqual(await read(id))
        for (const stop of stops.values()) stop()
        await clock.advance(1_020)
        expect(app.hub.open).toEqual({ streams: 0, channels: 0 })
        await app.close()
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 40 },
    )
  })

  test('createJobSignal takes a document in pages, and resumes in the midst of them', async () => {
    const { app, clock, environment, bearer, post, read, cut } = await world(1)
    await post('/api/jobs', { id: 'job', kind: 'k', title: 't' })
    for (let batch = 0; batch < 10; batch++) {
      const items = Array.from({ length: 1_000 }, (_, index) => ({
        type: 'item',
        id: `${(index * 7 + batch * 13) % 5_000}`,
        message: 'm'.repeat(100),
      }))
      await post('/api/jobs/job/events', items)
    }
    const signals = createJobSignal({ jobId: 'job', bearer, environment })
    const lengths: number[] = []
    const stop = effect(() => {
      if (signals.job.value) lengths.push(signals.job.value.items.filter(Boolean).length)
    })
    await clock.advance(0)
    cut()
    await clock.advance(10_000)
    const document = await read('job')
    expect(signals.job.value).toEqual(document)
    expect(new Set(lengths)).toEqual(new Set([document.items.length]))
    stop()
    await clock.advance(1_000)
    await app.close()
  })
})

describe('createJobSignal with tokens that renew themselves', () => {
  /** Tokens that live for a minute, as an app's backend would give them, and how many it gave. */
  async function withTokens(seed: number, give: (token: string, number: number) => string | Promise<string> = String) {
    const made = await world(seed)
    let given = 0
    const tokens: string[] = []
    // Signed and checked before the test begins, because virtual time waits for neither.
    for (let number = 0; number < 20; number++) {
      const iat = made.clock.now() / 1_000 + number * 54
      const token = await sign({ sub: 'ada', scope: 'jobs:read', iat, exp: iat + 60 }, secret, 'HS256')
      await made.app.request('/api/jobs', { headers: { authorization: `Bearer ${token}` } })
      tokens.push(token)
    }
    const getToken = () => {
      const token = tokens[Math.ceil((made.clock.now() / 1_000 - first) / 54)] ?? ''
      given += 1
      return give(token, given)
    }
    const first = made.clock.now() / 1_000
    return { ...made, getToken, given: () => given }
  }

  test('createJobSignal asks for a token before the end, and goes on from its cursor without a flicker', async () => {
    const { app, clock, environment, getToken, given, post, read } = await withTokens(5)
    await post('/api/jobs', { id: 'job', kind: 'k', title: 't' })
    await post('/api/jobs', { id: 'other', kind: 'k', title: 't' })
    const urls: string[] = []
    const fetch: Environment['fetch'] = (url, init) => {
      urls.push(url)
      return environment.fetch(url, init)
    }
    const watched = { ...environment, fetch }
    const signals = ['job', 'other'].map((jobId) => createJobSignal({ jobId, getToken, environment: watched }))
    const statuses = new Set<string>()
    const stops = signals.map(({ job, connection }) => effect(() => void [job.value, statuses.add(connection.value)]))
    for (let minute = 0; minute < 8; minute++) {
      for (let tenth = 0; tenth < 6; tenth++) await clock.advance(10_000)
      await post('/api/jobs/job/events', [{ type: 'progress', done: minute }])
      await clock.advance(100)
      expect(signals[0]?.job.value?.progress.done).toBe(minute)
    }
    expect([...statuses]).toEqual(['connecting', 'live'])
    // Both jobs on each, one token each, and no poll.
    expect(given()).toBe(urls.length)
    expect(given()).toBeGreaterThan(7)
    expect(urls.slice(1).every((url) => /^\/api\/progress\?.*job=job%40\w+-\d+&job=other%40\w+-1$/.test(url))).toBe(
      true,
    )
    expect(signals[0]?.job.value).toEqual(await read('job'))
    for (const stop of stops) stop()
    await clock.advance(1_100)
    await app.close()
    expect(clock.pending).toBe(0)
  })

  test.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('Away')
      },
    ],
    ['hangs', () => new Promise<string>(() => {})],
  ])(
    'createJobSignal keeps what it shows while getToken %s, and goes on once it gives a token',
    async (_what, fail) => {
      const error = spyOn(console, 'error').mockImplementation(() => {})
      try {
        let isDown = false
        const { app, clock, environment, getToken, post, read } = await withTokens(6, (token) =>
          isDown ? fail() : token,
        )
        await post('/api/jobs', { id: 'job', kind: 'k', title: 't' })
        const signals = createJobSignal({ jobId: 'job', getToken, environment })
        const stop = effect(() => void [signals.job.value, signals.connection.value])
        await clock.advance(1_000)
        isDown = true
        for (let waits = 0; waits < 18; waits++) await clock.advance(10_000)
        expect([signals.job.value?.version, signals.connection.value, error.mock.calls.length]).toEqual([
          1,
          'reconnecting',
          1,
        ])
        isDown = false
        await post('/api/jobs/job/events', [{ type: 'progress', done: 1 }])
        for (let waits = 0; waits < 9; waits++) await clock.advance(10_000)
        expect([signals.job.value, signals.connection.value]).toEqual([await read('job'), 'live'])
        stop()
        await clock.advance(1_100)
        await app.close()
        expect(clock.pending).toBe(0)
      } finally {
        error.mockRestore()
      }
    },
  )
})

describe('createJobListSignal with a server', () => {
  test('createJobListSignal shows the jobs as the server has them, newest first, through cuts and deletions', async () => {
    const { app, clock, environment, bearer, headers, post, cut, network } = await world(2)
    const list = createJobListSignal({ bearer, environment })
    const stop = effect(() => void [list.rows.value, list.ready.value, list.connection.value])
    await clock.advance(100)
    expect([list.ready.value, list.rows.value, list.connection.value]).toEqual([true, [], 'live'])
    for (const id of ['a', 'b', 'c', 'd']) {
      await post('/api/jobs', { id, kind: 'k', title: id })
      await clock.advance(1_000)
    }
    expect(list.rows.value.map(({ job }) => job.id)).toEqual(['d', 'c', 'b', 'a'])
    await post('/api/jobs/a/events', [{ type: 'status', status: 'completed', result: { n: 1 } }])
    await post('/api/jobs/b/events', [{ type: 'progress', done: 1, total: 4 }])
    await app.request('/api/jobs/d', { method: 'DELETE', headers })
    await clock.advance(100)
    expect(list.rows.value.map(({ job, percent }) => [job.id, job.status, percent])).toEqual([
      ['c', 'pending', undefined],
      ['b', 'pending', 25],
      ['a', 'completed', 100],
    ])
    const [c] = list.rows.value
    network.isDown = true
    cut()
    await app.request('/api/jobs/b', { method: 'DELETE', headers })
    await post('/api/jobs', { id: 'e', kind: 'k', title: 'e' })
    await clock.advance(10_000)
    expect(list.connection.value).toBe('reconnecting')
    network.isDown = false
    await clock.advance(70_000)
    expect(list.connection.value).toBe('live')
    expect(list.rows.value.map(({ job }) => job.id)).toEqual(['e', 'c', 'a'])
    expect(list.rows.value[1]).toBe(c as never)
    const listed = (await (await app.request('/api/jobs', { headers })).json()) as { jobs: JobHeader[] }
    expect(list.rows.value.map(({ job }) => job)).toEqual(listed.jobs)
    stop()
    await clock.advance(1_000)
    expect(app.hub.open.streams).toBe(0)
    await app.close()
    expect(clock.pending).toBe(0)
  })

  test.each([429, 503])(
    'createJobListSignal asks again for a first page that got a %p when its stream reopens',
    async (status) => {
      const { app, clock, environment, bearer, post, cut } = await world(4)
      for (let index = 0; index < 130; index++) {
        await post('/api/jobs', { id: `${index}`, kind: 'k', title: 't' })
        await post(`/api/jobs/${index}/events`, [{ type: 'status', status: 'completed' }])
        await clock.advance(1)
      }
      let refused = 0
      const fetch: Environment['fetch'] = async (url, init) => {
        if (refused > 0 || !url.startsWith('/api/jobs?')) return environment.fetch(url, init)
        refused += 1
        return Response.json({ type: 'urn:milepost:test' }, { status })
      }
      const list = createJobListSignal({ bearer, environment: { ...environment, fetch } })
      const stop = effect(() => void list.rows.value)
      // The pings of the stream make the list ready.
      await clock.advance(60_000)
      expect([refused, list.ready.value, list.rows.value.length, list.hasMore.value]).toEqual([1, true, 100, false])
      cut()
      while (!list.hasMore.peek()) await clock.advance(10)
      await list.loadMore()
      expect([list.rows.value.length, list.hasMore.value]).toEqual([130, false])
      stop()
      await clock.advance(1_000)
      await app.close()
    },
  )

  test('createJobListSignal loads older jobs page by page, and says when there are none', async () => {
    const { app, clock, environment, bearer, post } = await world(3)
    for (let index = 0; index < 230; index++) {
      await post('/api/jobs', { id: `${index}`, kind: 'k', title: 't' })
      await post(`/api/jobs/${index}/events`, [{ type: 'status', status: 'completed' }])
      await clock.advance(1)
    }
    const list = createJobListSignal({ bearer, environment })
    const stop = effect(() => void list.rows.value)
    // The first page is a request beside the stream, which may bring the same jobs before it.
    while (!list.hasMore.peek()) await clock.advance(10)
    expect(list.rows.value).toHaveLength(100)
    const loaded = list.loadMore()
    expect(list.loading.value).toBe(true)
    await loaded
    expect([list.rows.value.length, list.hasMore.value, list.loading.value]).toEqual([200, true, false])
    await list.loadMore()
    expect([list.rows.value.length, list.hasMore.value]).toEqual([230, false])
    expect(list.rows.value.map(({ job }) => job.id)).toEqual(
      Array.from({ length: 230 }, (_, index) => `${229 - index}`),
    )
    await clock.advance(60_000)
    expect(list.rows.value).toHaveLength(230)
    stop()
    await clock.advance(1_000)
    await app.close()
  })
})

function isProducerEvent(event: JobEvent): event is ProducerEvent {
  return event.type !== 'control'
}
