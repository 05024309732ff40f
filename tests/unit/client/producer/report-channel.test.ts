import { describe, expect, test } from 'bun:test'
import { ReportChannel, type ReportedJob } from '../../../../client/producer/report-channel.ts'
import type { Sent } from '../../../../shared/producer/batcher.ts'
import { failureOf } from '../../../../shared/producer/http-sender.ts'
import type { Posted } from '../../../../shared/producer/outbox.ts'
import { backOff } from '../../../../shared/time/backoff.ts'
import { isProblem, isReceipt } from '../../../../shared/wire/answers.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

/** A WebSocket whose server is the test. */
class FakeSocket {
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  onerror: (() => void) | null = null
  isClosed = false
  readonly #sent: string[] = []

  send(text: string): void {
    if (this.isClosed) throw new Error('Closed')
    this.#sent.push(text)
  }

  close(): void {
    this.isClosed = true
  }

  /** What was sent since this was last asked. */
  take(): { n: number; job: string; events: unknown[]; key?: string }[] {
    return this.#sent.splice(0).map((text) => JSON.parse(text))
  }

  async answer(message: unknown): Promise<void> {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) })
    await settle()
  }

  async end(code: number): Promise<void> {
    this.isClosed = true
    this.onclose?.({ code })
    await settle()
  }
}

const receipt = { version: 3, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
const byRequest: Sent = { receipt: { ...receipt, version: 99 } }

function create(ids: string[] = ['a']) {
  const clock = new VirtualClock()
  const sockets: FakeSocket[] = []
  const heard: [string, number, boolean][] = []
  const posted: string[] = []
  const state = { isActive: false, throws: false, hasNoToken: false }
  const jobs = new Set<ReportedJob>()
  for (const id of ids) {
    const hear: ReportedJob['hear'] = ({ version, cancelRequested }) => heard.push([id, version, cancelRequested])
    jobs.add({ id, epoch: 'e1', isLive: true, hear })
  }
  jobs.add({ id: 'ended', epoch: 'e1', isLive: false, hear: () => heard.push(['ended', 0, false]) })
  const asked: unknown[] = []
  const channel = new ReportChannel({
    WebSocket: class extends FakeSocket {
      constructor(...args: unknown[]) {
        super()
        asked.push(args)
        if (state.throws) throw new SyntaxError('No headers here')
        sockets.push(this)
      }
    } as unknown as new () => WebSocket,
    ...{ backOff, failureOf, isProblem, isReceipt },
    url: 'wss://progress.example/base/api/report',
    async token() {
      if (state.hasNoToken) throw new Error('Away')
      return 't.t.t'
    },
    jobs,
    takeActivity() {
      const { isActive } = state
      state.isActive = false
      return isActive
    },
    async post({ key }) {
      posted.push(key)
      return byRequest
    },
    clock,
    random: new SeededRandom(1),
  })
  const abort = new AbortController()
  const send = (key: string, fields: Partial<Posted> = {}) =>
    channel.send({ job: 'a', epoch: 'e1', key, events: '[1]', signal: abort.signal, ...fields })
  /** Connects, and answers what is asked of each job. */
  const connect = async (ms: number) => {
    await clock.advance(ms)
    const socket = sockets.at(-1)
    if (!socket || socket.isClosed) throw new Error('Not connected')
    socket.onopen?.()
    for (const { n } of socket.take()) await socket.answer({ n, ...receipt })
    return socket
  }
  return { channel, asked, clock, sockets, heard, posted, jobs, state, send, connect, abort }
}

describe('ReportChannel', () => {
  test('ReportChannel connects after half a second, asks for each job, and sends batches as frames', async () => {
    const { channel, asked, clock, sockets, heard, posted, send, connect } = create(['a', 'b'])
    channel.wake()
    channel.wake()
    expect(await send('before')).toEqual(byRequest)
    await clock.advance(499)
    expect(sockets).toHaveLength(0)
    const socket = await connect(1)
    expect(heard).toEqual([
      ['a', 3, false],
      ['b', 3, false],
    ])
    const sent = send('k')
    const [frame] = socket.take()
    expect(frame).toEqual({ n: 2, job: 'a', epoch: 'e1', key: 'k', events: [1] } as typeof frame)
    await socket.answer({ n: 2, ...receipt, version: 4 })
    expect(await sent).toEqual({ receipt: { n: 2, ...receipt, version: 4 } } as Sent)
    expect([posted, sockets.length]).toEqual([['before'], 1])
    const headers = { authorization: 'Bearer t.t.t' }
    expect(asked).toEqual([['wss://progress.example/base/api/report', { headers }]])
  })

  test('ReportChannel.follow asks for a job that has reported nothing yet, at once or when it is open', async () => {
    const { channel, heard, jobs, connect } = create([])
    const pending = { id: 'new', epoch: 'e9', isLive: true, hear: () => heard.push(['new', 1, true]) }
    jobs.add(pending)
    channel.follow(pending)
    const socket = await connect(500)
    expect(heard).toEqual([['new', 1, true]])
    channel.follow(pending)
    expect(socket.take()).toMatchObject([{ job: 'new', epoch: 'e9', events: [] }])
  })

  test('ReportChannel hands pushes to their job, and ignores what it does not know', async () => {
    const { channel, heard, connect } = create(['a', 'b'])
    channel.wake()
    const socket = await connect(500)
    heard.length = 0
    for (const message of [
      '',
      'null',
      '[]',
      { at: 'now' },
      { n: 77 },
      { n: 'x' },
      { job: 'b' },
      { job: 'c', ...receipt },
    ])
      await socket.answer(message)
    await socket.answer({ job: 'b', version: 7, cancelRequested: true, pauseRequested: false })
    expect(heard).toEqual([['b', 7, true]])
  })

  test('ReportChannel does with a problem what the request would do', async () => {
    const { channel, posted, send, connect } = create()
    channel.wake()
    const socket = await connect(500)
    const answers: [answer: object, sent: Sent][] = [
      [{ problem: { status: 404, detail: 'd' } }, { refused: 'd' }],
      [{ problem: { status: 422, detail: 'd' } }, { rejected: 'd' }],
      [{ problem: { status: 503, detail: 'd' } }, { retry: true }],
      [
        { problem: { status: 429, detail: 'd' }, retryAfter: 2 },
        { retry: true, afterMs: 2_000 },
      ],
      [{ problem: { status: 401, detail: 'd' } }, byRequest],
      [{ nothing: 'known' }, byRequest],
    ]
    for (const [answer, outcome] of answers) {
      const sent = send('k')
      const [frame] = socket.take()
      const { problem } = answer as { problem?: object }
      await socket.answer({
        ...answer,
        n: frame?.n,
        ...(problem && { problem: { type: 'urn:milepost:x', ...problem } }),
      })
      expect(await sent).toEqual(outcome)
    }
    expect(posted).toEqual(['k', 'k'])
  })

  test('ReportChannel has 64 frames without an answer at most, and sends long batches by request', async () => {
    const { channel, posted, send, connect } = create()
    channel.wake()
    const socket = await connect(500)
    for (let key = 0; key < 70; key++) void send(`${key}`)
    const frames = socket.take()
    expect(frames).toHaveLength(64)
    await socket.answer({ n: frames[3]?.n, ...receipt })
    expect(socket.take().map(({ key }) => key)).toEqual(['64'])
    expect(await send('long', { events: `["${'x'.repeat(16_384)}"]` })).toEqual(byRequest)
    expect(posted).toEqual(['long'])
  })

  test('ReportChannel that is lost sends what has no answer by request, under its key, and connects again', async () => {
    const { channel, clock, sockets, posted, send, connect } = create()
    channel.wake()
    const socket = await connect(500)
    const sent = [send('one'), send('two')]
    await socket.end(1006)
    expect(await Promise.all(sent)).toEqual([byRequest, byRequest])
    expect(await send('three')).toEqual(byRequest)
    expect(posted).toEqual(['one', 'two', 'three'])
    await connect(1_000)
    expect(sockets).toHaveLength(2)
    // A server that is away for long is asked twice a minute or so.
    for (let now = 0; now < 3_600_000; now += 5_000) {
      await clock.advance(5_000)
      await sockets.at(-1)?.end(1006)
    }
    expect(sockets.length).toBeGreaterThan(100)
    expect(sockets.length).toBeLessThan(250)
  })

  test('ReportChannel asks less and less a server that never accepts it, or closes it as wrong', async () => {
    const { channel, clock, sockets, connect } = create()
    channel.wake()
    const refuse = async () => {
      const before = sockets.length
      for (let now = 0; now < 24; now++) {
        for (let minute = 0; minute < 60; minute++) {
          await clock.advance(60_000)
          const socket = sockets.at(-1)
          if (!socket?.isClosed) await socket?.end(1006)
        }
      }
      return sockets.length - before
    }
    expect(await refuse()).toBeLessThan(200)
    while (sockets.at(-1)?.isClosed) await clock.advance(5_000)
    const socket = await connect(0)
    await socket.end(1008)
    expect(await refuse()).toBeLessThan(200)
  })

  test('ReportChannel gives up a handshake after ten seconds, and a connection that leaves a batch unanswered', async () => {
    const { channel, clock, sockets, posted, send, connect, abort } = create()
    channel.wake()
    await clock.advance(10_500)
    expect(sockets.map(({ isClosed }) => isClosed)).toEqual([true])
    const socket = await connect(30_000)
    const sent = [send('mute'), send('other', { signal: new AbortController().signal })]
    abort.abort()
    expect(await Promise.all(sent)).toEqual([{ retry: true }, byRequest])
    expect([socket.isClosed, posted]).toEqual([true, ['other']])
  })

  test('ReportChannel waits for a token', async () => {
    const { channel, clock, sockets, state, connect } = create()
    state.hasNoToken = true
    channel.wake()
    await clock.advance(10_000)
    expect(sockets).toHaveLength(0)
    state.hasNoToken = false
    await connect(20_500)
    channel.close()
    expect(clock.pending).toBe(0)
  })

  test('ReportChannel of silent work connects anew, ever less often, and stays open while it reports', async () => {
    const { channel, clock, sockets, state, connect } = create()
    channel.wake()
    const first = await connect(500)
    for (let now = 0; now < 60_000; now += 4_000) {
      state.isActive = true
      await clock.advance(4_000)
    }
    expect(first.isClosed).toBe(false)
    let open = first
    const silences: number[] = []
    for (let round = 0; round < 7; round++) {
      const since = clock.monotonic()
      while (!open.isClosed) await clock.advance(1_000)
      silences.push(clock.monotonic() - since)
      // No timer but those that keep no process alive, until it is closed and a moment later.
      expect(sockets).toHaveLength(round + 1)
      await open.end(1000)
      open = await connect(50)
    }
    expect(silences).toEqual([4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('ReportChannel connects anew though the end of its connection is not confirmed', async () => {
    const { channel, clock, sockets, connect } = create()
    channel.wake()
    await connect(500)
    await clock.advance(4_000 + 3_000 + 50)
    expect(sockets).toHaveLength(2)
  })

  test('ReportChannel closes a second after the last job has ended, and opens for the next', async () => {
    const { channel, clock, sockets, jobs, connect } = create()
    channel.wake()
    const socket = await connect(500)
    const all = [...jobs]
    jobs.clear()
    channel.rest()
    await clock.advance(999)
    expect(socket.isClosed).toBe(false)
    await clock.advance(1)
    expect(socket.isClosed).toBe(true)
    await socket.end(1000)
    await clock.advance(0)
    expect(clock.pending).toBe(0)
    for (const job of all) jobs.add(job)
    channel.wake()
    await connect(500)
    expect(sockets).toHaveLength(2)
  })

  test('ReportChannel.close lets go of everything, and so does a runtime that sends no headers', async () => {
    const { channel, clock, posted, send, connect, state } = create()
    channel.wake()
    const socket = await connect(500)
    const sent = send('one')
    channel.rest()
    channel.close()
    expect([await sent, await send('two'), socket.isClosed, clock.pending]).toEqual([byRequest, byRequest, true, 0])
    channel.wake()
    expect([posted, clock.pending]).toEqual([['one', 'two'], 0])
    const other = create()
    other.state.throws = true
    other.channel.wake()
    await other.clock.advance(500)
    other.channel.wake()
    expect([await other.send('one'), other.clock.pending, state.throws]).toEqual([byRequest, 0, false])
  })
})
