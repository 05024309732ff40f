import { afterAll, describe, expect, test } from 'bun:test'
import { createCredential } from '../../../../client/connection/access/credential.ts'
import { createConnection, eventOf, type Received } from '../../../../client/connection/connection.ts'
import { systemEnvironment } from '../../../../client/connection/environment.ts'
import { jobTransition } from '../../../../client/connection/jobs/job-connection-state.ts'
import { createTransport, type TransportOptions } from '../../../../client/connection/transport.ts'
import { encodeMessage, encodeRetry } from '../../../../shared/wire/sse.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

/** A connection, and everything that it told. */
function connect(environment: FakeEnvironment, options: Partial<TransportOptions> & { bearer?: string } = {}) {
  const told: unknown[] = []
  const connection = createConnection({
    environment,
    policy: jobTransition,
    ...createTransport({
      environment,
      requests: createCredential(options, environment, () => {}),
      streamUrl: (cursor) => `/stream?since=${cursor}`,
      pollUrl: (cursor) => `/poll?since=${cursor}`,
      receivePoll(answer) {
        told.push(['poll', answer])
        return answer as Received
      },
      ...options,
    }),
    receive(event, data) {
      told.push([event, data])
      return eventOf(data as Received, 'message')
    },
    onStatus: (status) => told.push(status),
    onHeard() {},
  })
  return { connection, told }
}

describe('createConnection in a page that nobody sees', () => {
  test('createConnection lets go of its stream at a ping, takes what came meanwhile once a minute, and all of it when seen', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    const ping = () => environment.source.send('ping', {})
    const openNow = () => environment.sources.filter(({ isOpen }) => isOpen).length
    connection.start()
    environment.source.open()
    environment.source.send('snapshot', { cursor: 'e-1' })
    environment.page.document.visibilityState = 'hidden'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    environment.source.send('log', { cursor: 'e-2' })
    expect(openNow()).toBe(1)
    ping()
    expect(openNow()).toBe(0)
    await environment.clock.advance(59_999)
    expect(openNow()).toBe(0)
    await environment.clock.advance(1)
    expect(environment.source.url).toBe('/stream?since=e-2')
    environment.source.open()
    environment.source.send('patch', { cursor: 'e-9' })
    ping()
    expect([openNow(), connection.status]).toEqual([0, 'live'])
    environment.page.document.visibilityState = 'visible'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    expect([openNow(), environment.source.url]).toEqual([1, '/stream?since=e-9'])
    environment.source.open()
    ping()
    expect([openNow(), told.filter((one) => typeof one === 'string')]).toEqual([1, ['live']])
  })
})

describe('createConnection over an EventSource', () => {
  test('createConnection delivers messages in order and goes on from the cursor that its listener gave', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    expect(environment.source.url).toBe('/stream?since=undefined')
    environment.source.open()
    environment.source.send('snapshot', { cursor: 'e-1' })
    environment.source.send('job-error', { cursor: 'e-2' })
    await environment.clock.advance(20_000)
    environment.source.lose()
    expect(told).toEqual([['snapshot', { cursor: 'e-1' }], 'live', ['job-error', { cursor: 'e-2' }]])
    expect(environment.sources.map(({ isOpen }) => isOpen)).toEqual([false, true])
    expect(environment.source.url).toBe('/stream?since=e-2')
    expect(environment.requests).toHaveLength(0)
  })

  test('createConnection hears nothing of a stream that it has given up', () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    const { source } = environment
    connection.stop()
    source.open()
    source.send('snapshot', {})
    source.lose()
    expect(told).toEqual([])
    expect(environment.sources).toHaveLength(1)
  })

  test('createConnection tries again by its own waits, because an EventSource would give up', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    environment.source.lose()
    expect(environment.source.isOpen).toBe(false)
    expect(told).toEqual(['reconnecting'])
    await environment.clock.advance(2_000)
    expect(environment.sources).toHaveLength(2)
  })

  test('createConnection asks why an EventSource was refused, and ends when the job has', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    environment.source.refuse()
    expect(environment.request.url).toBe('/poll?since=undefined')
    await environment.request.answer(200, { ended: 'completed' })
    expect(told).toEqual([['poll', { ended: 'completed' }], 'ended'])
    expect(environment.clock.pending).toBe(0)
  })

  test('createConnection ends as not found when it is told so twice', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    environment.source.refuse()
    await environment.request.answer(404, { status: 404 })
    await environment.clock.advance(2_000)
    environment.source.refuse()
    await environment.request.answer(404, { status: 404 })
    expect(told).toEqual(['not-found'])
    expect(environment.clock.pending).toBe(0)
  })

  test('createConnection takes a URL that is none for a failure', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment, { streamUrl: () => 'not a url' })
    connection.start()
    expect(told).toEqual([])
    await settle()
    expect(told).toEqual(['reconnecting'])
  })

  test('createConnection does not trust a stream whose data is not JSON', () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    environment.source.open()
    environment.source.sendText('snapshot', '{"half":')
    expect(told).toEqual(['reconnecting'])
    expect(environment.source.isOpen).toBe(false)
  })

  test('createConnection does not trust a stream whose message its listener can not take', () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    environment.source.open()
    environment.source.send('snapshot', null)
    expect(told).toEqual([['snapshot', null], 'reconnecting'])
    expect(environment.source.isOpen).toBe(false)
  })

  test('createConnection opens again from its cursor when its listener finds a gap', () => {
    const environment = new FakeEnvironment()
    const { connection } = connect(environment)
    connection.start()
    environment.source.open()
    environment.source.send('snapshot', { cursor: 'e-4' })
    environment.source.send('log', { gap: true })
    expect(environment.sources.map(({ url }) => url)).toEqual(['/stream?since=undefined', '/stream?since=e-4'])
  })

  test('createConnection polls while its streams are mute', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    connection.start()
    for (let start = 1; start <= 3; start++) {
      environment.source.open()
      await environment.clock.advance(8_000)
      await environment.request.answer(200, { cursor: `e-${start}` }, { 'retry-after': '2' })
    }
    expect(told.filter((one) => typeof one === 'string')).toEqual(['polling'])
    expect(environment.sources.filter(({ isOpen }) => isOpen)).toHaveLength(0)
    await environment.clock.advance(2_500)
    expect(environment.requests.map(({ url }) => url)).toEqual([
      '/poll?since=undefined',
      '/poll?since=e-1',
      '/poll?since=e-2',
      '/poll?since=e-3',
    ])
  })

  test('createConnection hears of the network and of the page, until it is stopped', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment)
    environment.page.navigator.onLine = false
    connection.start()
    expect(told).toEqual(['offline'])
    environment.page.dispatchEvent(new Event('online'))
    environment.source.lose()
    expect(environment.sources).toHaveLength(2)
    environment.page.document.visibilityState = 'hidden'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    expect(environment.sources).toHaveLength(2)
    environment.page.document.visibilityState = 'visible'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    expect(environment.sources).toHaveLength(3)
    connection.stop()
    environment.page.dispatchEvent(new Event('pageshow'))
    expect(environment.sources).toHaveLength(3)
    expect(environment.sources.every(({ isOpen }) => !isOpen)).toBe(true)
    expect(environment.clock.pending).toBe(0)
  })
})

describe('createConnection over fetch', () => {
  test('createConnection reads streams with fetch when headers are needed', async () => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment, { bearer: 't' })
    connection.start()
    expect(environment.sources).toHaveLength(0)
    const { request } = environment
    expect(Object.fromEntries(request.headers)).toEqual({ accept: 'text/event-stream', authorization: 'Bearer t' })
    await request.open()
    await request.write('retry: 4000\n\n')
    await request.write('event: snapshot\nid: e-1\nda')
    expect(told).toEqual([])
    await request.write('ta: {"cursor":"e-1"}\n\n')
    expect(told).toEqual([['snapshot', { cursor: 'e-1' }], 'live'])
  })

  test('createConnection reads streams with fetch where there is no EventSource', () => {
    const environment = new FakeEnvironment({ eventSource: false })
    connect(environment).connection.start()
    expect(environment.request.url).toBe('/stream?since=undefined')
  })

  test('createConnection cuts a request when it is stopped, and leaves nothing behind', async () => {
    const environment = new FakeEnvironment({ eventSource: false })
    const { connection, told } = connect(environment)
    connection.start()
    await environment.request.open()
    await environment.request.send('snapshot', { cursor: 'e-1' })
    connection.stop()
    await settle()
    expect(environment.request.isOver).toBe(true)
    expect(environment.clock.pending).toBe(0)
    expect(told).toEqual([['snapshot', { cursor: 'e-1' }], 'live', 'connecting'])
  })

  test('createConnection takes a 204 for a failure, and tries again', async () => {
    const environment = new FakeEnvironment({ eventSource: false })
    const { connection, told } = connect(environment)
    connection.start()
    await environment.request.answer(204)
    expect(told).toEqual(['reconnecting'])
    await environment.clock.advance(2_000)
    expect(environment.requests).toHaveLength(2)
  })

  test('createConnection waits as Retry-After says: seconds or a date', async () => {
    const environment = new FakeEnvironment({ eventSource: false, now: '2026-01-01T00:00:00.000Z' })
    const { connection } = connect(environment)
    connection.start()
    await environment.request.answer(503, {}, { 'retry-after': '60' })
    await environment.clock.advance(60_000)
    expect(environment.requests).toHaveLength(1)
    await environment.clock.advance(2_000)
    expect(environment.requests).toHaveLength(2)
    await environment.request.answer(503, {}, { 'retry-after': 'Thu, 01 Jan 2026 00:03:00 GMT' })
    await environment.clock.advance(117_000)
    expect(environment.requests).toHaveLength(2)
    await environment.clock.advance(3_000)
    expect(environment.requests).toHaveLength(3)
    // Five minutes at most.
    await environment.request.answer(503, {}, { 'retry-after': '86400' })
    await environment.clock.advance(300_000)
    expect(environment.requests).toHaveLength(3)
    await environment.clock.advance(2_000)
    expect(environment.requests).toHaveLength(4)
  })

  test.each([
    [503, '3600'],
    [500, 'Thu, 01 Jan 2099 00:00:00 GMT'],
    // The client then polls, and gets the same page.
    [429, '3600'],
    [404, '3600'],
    [200, '3600'],
  ])(
    "createConnection waits no longer than ten seconds and some for a %p that is not the server's, whatever its Retry-After: %p",
    async (status, retryAfter) => {
      const environment = new FakeEnvironment({ eventSource: false })
      const { connection } = connect(environment)
      connection.start()
      await environment.request.answerForeign(status, '<h1>Maintenance</h1>', { 'retry-after': retryAfter })
      if (environment.requests.length === 2) {
        await environment.request.answerForeign(status, '<h1>Maintenance</h1>', { 'retry-after': retryAfter })
      }
      const before = environment.requests.length
      await environment.clock.advance(10_000)
      expect(environment.requests).toHaveLength(before)
      await environment.clock.advance(2_000)
      expect(environment.requests).toHaveLength(before + 1)
    },
  )

  test.each<[number, string | object]>([
    [200, '<h1>Welcome to the WiFi</h1>'],
    [404, '<h1>404 Not Found</h1>'],
    [401, '<h1>Sign in</h1>'],
    [403, { type: 'about:blank', detail: 'Not ours.' }],
    [200, { ok: true }],
  ])("createConnection takes a %p that is not the server's for a server that is away: %p", async (status, body) => {
    const environment = new FakeEnvironment({ eventSource: false })
    const { connection, told } = connect(environment)
    connection.start()
    for (let tries = 1; tries <= 8; tries++) {
      expect([environment.requests.length, environment.request.url]).toEqual([tries, '/stream?since=undefined'])
      await environment.request.answerForeign(status, body)
      await environment.nextTry()
    }
    expect(told).toEqual(['reconnecting'])
    await environment.request.open()
    await environment.request.send('snapshot', { cursor: 'e-1' })
    expect(told.at(-1)).toBe('live')
  })

  test('createConnection tries again when a stream breaks, and at once when one that lived closes', async () => {
    const environment = new FakeEnvironment({ eventSource: false })
    const { connection, told } = connect(environment)
    connection.start()
    await environment.request.open()
    await environment.request.send('snapshot', { cursor: 'e-1' })
    await environment.clock.advance(15_000)
    await environment.request.close()
    expect(environment.requests.map(({ url }) => url)).toEqual(['/stream?since=undefined', '/stream?since=e-1'])
    await environment.request.open()
    await environment.request.break()
    expect(told.at(-1)).toBe('reconnecting')
    await environment.clock.advance(2_000)
    expect(environment.requests).toHaveLength(3)
  })

  test('createConnection gives up a stream with a message that has no end', async () => {
    const environment = new FakeEnvironment({ eventSource: false })
    const { connection, told } = connect(environment)
    connection.start()
    const { request } = environment
    await request.open()
    await request.write(`data: ${'x'.repeat(5 * 1024 * 1024)}`)
    await settle()
    expect(told).toEqual(['reconnecting'])
    expect(request.isOver).toBe(true)
  })

  test.each<[number, string | object]>([
    [200, '<html>'],
    [200, { ok: true }],
    [404, '<h1>404 Not Found</h1>'],
    [403, { detail: 'Not ours.' }],
  ])("createConnection takes a poll's %p that is not the server's for a failed one: %p", async (status, body) => {
    const environment = new FakeEnvironment()
    const { connection, told } = connect(environment, { receivePoll: () => undefined })
    connection.start()
    for (let tries = 1; tries <= 4; tries++) {
      environment.source.refuse()
      await environment.request.answerForeign(status, body)
      expect([environment.sources.length, told]).toEqual([tries, ['reconnecting']])
      await environment.nextTry()
    }
  })
})

describe('createConnection over the network', () => {
  /** Streams that the server was asked for, each with the request's query and the means to write to it. */
  const streams: { since: string | null; write(text: string): void; close(): void }[] = []
  let arrived = Promise.withResolvers<void>()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    fetch(request) {
      const since = new URL(request.url).searchParams.get('since')
      const body = new ReadableStream({
        start(controller) {
          const encoder = new TextEncoder()
          controller.enqueue(encoder.encode(encodeRetry(1_000)))
          streams.push({
            since,
            write: (text) => controller.enqueue(encoder.encode(text)),
            close: () => controller.close(),
          })
          arrived.resolve()
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  afterAll(() => server.stop(true))

  test('createConnection follows a real server through a cut to the end', async () => {
    const clock = new VirtualClock()
    const told: unknown[] = []
    let heard = Promise.withResolvers<void>()
    const until = async (count: number) => {
      while (told.length < count) {
        await heard.promise
        heard = Promise.withResolvers()
      }
    }
    const tell = (what: unknown) => {
      told.push(what)
      heard.resolve()
    }
    const environment = { ...systemEnvironment(), EventSource: undefined, clock, random: new SeededRandom(7) }
    const connection = createConnection({
      environment,
      policy: jobTransition,
      ...createTransport({
        environment,
        requests: createCredential({}, environment, () => {}),
        streamUrl: (cursor) => `${server.url}stream${cursor ? `?since=${cursor}` : ''}`,
        pollUrl: () => `${server.url}poll`,
        receivePoll: () => ({}),
      }),
      receive(event, data) {
        tell([event, data])
        return eventOf(data as Received, 'message')
      },
      onStatus: tell,
      onHeard() {},
    })
    connection.start()
    await arrived.promise
    streams[0]?.write(encodeMessage({ event: 'snapshot', id: 'e-1', data: { cursor: 'e-1', text: 'a\nb\u2028c' } }))
    await until(2)
    streams[0]?.write(encodeMessage({ event: 'log', id: 'e-2', data: { cursor: 'e-2' } }))
    await until(3)
    arrived = Promise.withResolvers()
    streams[0]?.close()
    await until(4)
    await clock.advance(1_000)
    await arrived.promise
    streams[1]?.write(encodeMessage({ event: 'patch', id: 'e-3', data: { cursor: 'e-3' } }))
    await until(6)
    streams[1]?.write(encodeMessage({ event: 'end', data: { ended: 'completed' } }))
    await until(8)
    expect(told).toEqual([
      ['snapshot', { cursor: 'e-1', text: 'a\nb\u2028c' }],
      'live',
      ['log', { cursor: 'e-2' }],
      'reconnecting',
      'live',
      ['patch', { cursor: 'e-3' }],
      ['end', { ended: 'completed' }],
      'ended',
    ])
    expect(streams.map(({ since }) => since)).toEqual([null, 'e-2'])
    expect(clock.pending).toBe(0)
  })
})
