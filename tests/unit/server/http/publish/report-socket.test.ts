import { describe, expect, spyOn, test } from 'bun:test'
import { defineWebSocketHelper, WSContext, type WSEvents } from 'hono/ws'
import type { AppOptions } from '../../../../../server/app.ts'
import { IDLE_MS, WINDOW } from '../../../../../server/http/publish/report-socket.ts'
import type { ProblemDocument, Receipt } from '../../../../../shared/wire/api.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'
import { settle } from '../../../../virtual-clock.ts'

type Answer = Partial<Receipt & { n: number; problem: ProblemDocument; retryAfter: number; at: string; job: string }>

/** A WebSocket in the hands of a test. */
class FakeSocket {
  readonly sent: string[] = []
  closed: { code?: number | undefined; reason?: string | undefined } | undefined
  raw = { bufferedAmount: 0 }
  failure: Error | undefined
  readonly #events: WSEvents
  readonly context = new WSContext({
    raw: this.raw,
    readyState: 1,
    send: (data) => {
      if (this.failure) throw this.failure
      if (this.closed) throw new Error('Sent after the close')
      this.sent.push(String(data))
    },
    close: (code, reason) => {
      if (this.closed) throw new Error('Closed twice')
      this.closed = { code, reason }
    },
  })

  constructor(events: WSEvents) {
    this.#events = events
    events.onOpen?.(new Event('open'), this.context)
  }

  /** @param frames objects as JSON */
  async send(...frames: unknown[]): Promise<void> {
    for (const frame of frames) {
      const data = typeof frame === 'object' ? JSON.stringify(frame) : frame
      this.#events.onMessage?.(new MessageEvent('message', { data }) as MessageEvent<string>, this.context)
    }
    await settle()
  }

  leave(): void {
    this.#events.onClose?.(new Event('close') as CloseEvent, this.context)
  }

  /** What was sent since this was last asked. */
  take(): Answer[] {
    return this.sent.splice(0).map((text) => JSON.parse(text))
  }
}

/** An app whose WebSockets a test holds. */
function create(options: Partial<AppOptions> = {}) {
  const sockets: FakeSocket[] = []
  const upgradeWebSocket = defineWebSocketHelper((_, events) => {
    sockets.push(new FakeSocket(events))
    return new Response(null)
  })
  const test = new TestApp({ upgradeWebSocket, ...options })
  const open = async (headers: Record<string, string> = {}) => {
    const response = await test.request('GET', '/api/report', undefined, { upgrade: 'websocket', ...headers })
    const socket = sockets.at(-1)
    if (response.status !== 200 || !socket) throw new Error(`${response.status}: ${await response.text()}`)
    return socket
  }
  return { test, open }
}

const progress = (done: number) => [{ type: 'progress', done }]
const frame = (n: number, job = 'a') => ({ n, job, events: progress(n) })

describe('GET /api/report', () => {
  test('GET /api/report is not there without a runtime that has WebSockets', async () => {
    const app = new TestApp()
    const response = await app.request('GET', '/api/report', undefined, { upgrade: 'websocket' })
    expect([response.status, ((await response.json()) as ProblemDocument).detail]).toEqual([
      404,
      'There is nothing at this address.',
    ])
  })

  test('GET /api/report pings, and closes a connection that has sent nothing for five minutes', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const socket = await open()
    await test.clock.advance(30_000)
    expect(socket.take()).toEqual([{ at: '2026-01-01T00:00:30.000Z' }])
    await test.clock.advance(240_000)
    await socket.send(frame(1))
    await test.clock.advance(IDLE_MS)
    expect(socket.closed).toBeUndefined()
    await test.clock.advance(60_000)
    expect(socket.closed).toEqual({ code: 1000, reason: 'Nothing was sent for five minutes.' })
    expect(test.app.hub.streams.report).toBe(0)
  })

  test('GET /api/report closes at the next ping when its publish token was revoked or the job is gone, though nothing is sent', async () => {
    const { test, open } = create()
    for (const [id, end] of [
      ['a', '/api/jobs/a/tokens'],
      ['b', '/api/jobs/b'],
    ] as const) {
      await test.create({ id })
      const made = await test.request('POST', `/api/jobs/${id}/tokens`, { can: 'publish' })
      const { token } = (await made.json()) as { token: string }
      const socket = await open({ authorization: `Bearer ${token}` })
      await test.clock.advance(30_000)
      await settle()
      expect(socket.closed).toBeUndefined()
      expect((await test.request('DELETE', end)).status).toBe(204)
      await test.clock.advance(30_000)
      await settle()
      expect([end, socket.closed?.code]).toEqual([end, 1008])
    }
    expect(test.app.hub.streams.report).toBe(0)
  })

  test('GET /api/report closes after a quarter of an hour or so, with its token, and with the server', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const socket = await open()
    const begun = test.clock.now()
    for (let n = 0; !socket.closed; n++) {
      await socket.send(frame(n))
      await test.clock.advance(10_000)
    }
    expect(socket.closed?.code).toBe(1001)
    expect(test.clock.now() - begun).toBeWithin(719_000, 1_090_001)
    const exp = Math.floor(test.clock.now() / 1_000) + 60
    const authorization = `Bearer ${await virtualToken('ada', 'jobs:write', { exp })}`
    const short = await open({ authorization })
    await test.clock.advance(60_000)
    expect(short.closed?.code).toBe(1001)
    const last = await open()
    await test.app.close()
    expect(last.closed?.code).toBe(1001)
    await last.send(frame(1))
    expect(last.take()).toEqual([])
    const refused = await test.request('GET', '/api/report', undefined, { upgrade: 'websocket' })
    expect(refused.status).toBe(503)
  })

  test('GET /api/report lets go of everything when the client leaves', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const timers = test.clock.pending
    const { watch } = test.engine
    let watched = 0
    spyOn(test.engine, 'watch').mockImplementation(async (...args) => {
      const unwatch = await watch.apply(test.engine, args)
      watched += 1
      return () => {
        watched -= 1
        unwatch()
      }
    })
    const socket = await open()
    await socket.send(frame(1), frame(2))
    expect([watched, test.app.hub.streams.report]).toEqual([1, 1])
    socket.leave()
    expect([watched, test.app.hub.streams.report]).toEqual([0, 0])
    await test.clock.advance(0)
    expect(test.clock.pending).toBe(timers)
  })

  test('GET /api/report answers over a rate with a 429 and the wait, and goes on', async () => {
    const { test, open } = create({ limits: { publishesPerSecond: 1 } })
    await test.create({ id: 'a' })
    const socket = await open()
    await socket.send(frame(1), frame(2), frame(3))
    expect(
      socket.take().map(({ n, version, problem, retryAfter }) => [n, version, problem?.limit, retryAfter]),
    ).toEqual([
      [3, undefined, 'publishesPerSecond', 1],
      [1, 2, undefined, undefined],
      [2, 3, undefined, undefined],
    ])
    await test.clock.advance(2_000)
    await socket.send(frame(4))
    expect(socket.take()).toMatchObject([{ n: 4, version: 4 }])
  })

  test('GET /api/report answers a frame that the server fails on with a 500, and the others as usual', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const socket = await open()
    const apply = spyOn(test.engine, 'apply').mockImplementationOnce(() => Promise.reject(new Error('broken')))
    await socket.send(frame(1), frame(2))
    apply.mockRestore()
    expect(
      socket
        .take()
        .map(({ n, version, problem }) => [n, version ?? problem?.status])
        .toSorted(),
    ).toEqual([
      [1, 500],
      [2, 2],
    ])
    expect(test.errors).toEqual([new Error('broken')])
  })

  test('GET /api/report applies the frames of a job in order, large ones too', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const socket = await open()
    const logs = (n: number, count: number) => Array.from({ length: count }, () => ({ type: 'log', message: `${n}` }))
    const counts = [1, 900, 1, 1, 900, 1]
    await socket.send(...counts.map((count, n) => ({ n, job: 'a', events: logs(n, count), key: `${n}` })))
    while (socket.sent.length < counts.length) {
      await test.clock.advance(0)
      // Digests are computed by other threads.
      await Bun.sleep(0)
    }
    const answers = socket.take().toSorted(({ n: a = 0 }, { n: b = 0 }) => a - b)
    let version = 1
    expect(answers.map((answer) => answer.version)).toEqual(counts.map((count) => (version += count)))
  })

  test('GET /api/report takes no more frames than the window, and counts answered ones out of it', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const socket = await open()
    const frames = Array.from({ length: WINDOW }, (_, n) => frame(n))
    await socket.send(...frames)
    await socket.send(...frames)
    expect([socket.take().length, socket.closed]).toEqual([2 * WINDOW, undefined])
    await socket.send(...frames, frame(64))
    expect(socket.closed).toEqual({ code: 1008, reason: 'Wait for answers: at most 64 frames may be unanswered.' })
    await test.clock.advance(1_000)
    expect(socket.take()).toEqual([])
  })

  test('GET /api/report takes no more bytes that are unanswered than a request for several jobs may have', async () => {
    const { test, open } = create({ limits: { bodyBytes: 1_000 } })
    await test.create({ id: 'a' })
    const long = (n: number) => ({ n, job: 'a', events: [{ type: 'log', message: 'm'.repeat(900) }] })
    const socket = await open()
    for (const _ of Array(3)) await socket.send(long(1), long(2), long(3), long(4))
    expect([socket.take().length, socket.closed]).toEqual([12, undefined])
    await socket.send(long(1), long(2), long(3), long(4), long(5))
    expect(socket.closed).toEqual({ code: 1008, reason: 'Wait for answers: at most 4000 bytes may be unanswered.' })
  })

  test('GET /api/report closes when its answers are not read, and when the client is gone', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const slow = await open()
    slow.raw.bufferedAmount = 1_048_577
    await slow.send(frame(1))
    expect(slow.closed).toEqual({ code: 1008, reason: 'The answers are not read.' })
    const gone = await open()
    gone.failure = new Error('gone')
    await gone.send(frame(2))
    expect([test.app.hub.streams.report, test.errors]).toEqual([0, []])
  })

  test('GET /api/report answers no number that is not one', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    for (const n of ['-1', '1.5', '01', '1e3', '"1"', 'null', '1234567890123456']) {
      const socket = await open()
      await socket.send(`{"n":${n},"job":"a","events":[{"type":"progress","done":1}]}`)
      expect([n, socket.closed?.code]).toEqual([n, 1008])
    }
    const socket = await open()
    await socket.send(' { "n" : 999999999999999 , "job" : "a", "events":[{"type":"progress","done":1}]}')
    expect(socket.take()).toMatchObject([{ n: 999_999_999_999_999, version: 2 }])
  })

  test('GET /api/report pushes nothing of a job to who may not report on it any more', async () => {
    const { test, open } = create()
    await test.create({ id: 'a' })
    const share = await test.request('POST', '/api/jobs/a/tokens', { can: 'publish' })
    const { token } = (await share.json()) as { token: string }
    const socket = await open({ authorization: `Bearer ${token}` })
    await socket.send({ n: 1, job: 'a', events: [{ type: 'status', status: 'running' }] })
    socket.take()
    await test.request('POST', '/api/jobs/a/pause')
    await test.clock.advance(0)
    expect(socket.take()).toEqual([{ job: 'a', version: 3, cancelRequested: false, pauseRequested: true }])
    await test.request('DELETE', '/api/jobs/a/tokens')
    await test.request('POST', '/api/jobs/a/cancel')
    await test.clock.advance(0)
    expect(socket.take()).toEqual([])
    await socket.send(frame(2))
    expect(socket.take()).toMatchObject([{ n: 2, problem: { status: 401 } }])
    expect(socket.closed?.code).toBe(1008)
  })

  test('GET /api/report counts its publishes and refusals, and records who was refused', async () => {
    const { test, open } = create()
    await test.create({ id: 'a', owner: 'ada' })
    const socket = await open()
    await socket.send(frame(1), frame(2, 'none'))
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    const metrics = await (await test.request('GET', '/metrics', undefined, { authorization })).text()
    expect(metrics).toContain('milepost_publishes_total 1\n')
    expect(metrics).toContain('milepost_publish_seconds_count 1\n')
    expect(metrics).toContain('milepost_refusals_total{reason="not-found"} 1\n')
    expect(metrics).toContain('milepost_reports_opened_total 1\n')
    expect(metrics).toContain('milepost_watchers{view="report"} 1\n')
  })
})
