import { describe, expect, test } from 'bun:test'
import { ProblemError } from '../../../../../server/errors.ts'
import type { Hub } from '../../../../../server/hub/hub.ts'
import { settle } from '../../../../virtual-clock.ts'
import { none, progress, setUpTwo as setUp, ways, waysOfJobs } from '../test-hub.ts'

/** A signal that counts who listens to it. */
function countedSignal() {
  const abort = new AbortController()
  const { signal } = abort
  let listeners = 0
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1
    remove(...args)
  }
  return { abort, signal, listeners: () => listeners }
}

describe('the life of a stream', () => {
  test('the life of a stream is 15 min ± 20 %, then it closes without end', async () => {
    for (const open of Object.values(ways)) {
      for (const [number, seconds] of [
        [0, 720],
        [0.5, 900],
        [0.999_999, 1_080],
      ] as const) {
        const hub = await setUp({ random: { number: () => number, bytes: (length) => new Uint8Array(length) } })
        const reader = await hub.open((hub) => open(hub, { sub: 'ada' }))
        await hub.clock.advance(seconds * 1_000 - 1_000)
        expect(reader.isClosed).toBe(false)
        reader.take()
        await hub.clock.advance(1_000)
        expect(reader.isClosed).toBe(true)
        expect(reader.takeMessages().filter((message) => !message.startsWith('ping'))).toEqual([])
        expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
      }
    }
  })

  test('the life of a stream of one job ends with its token, with the reason token-expired', async () => {
    const hub = await setUp()
    const viewer = { sub: 'ada', expiresAt: hub.clock.now() + 60_000 }
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, viewer))
    await hub.clock.advance(59_999)
    expect(reader.isClosed).toBe(false)
    reader.take()
    await hub.clock.advance(1)
    expect(reader.take().at(-1)).toBe('event: end\ndata: {"reason":"token-expired"}\n\n')
    expect(reader.isClosed).toBe(true)
    expect([hub.hub.open, hub.clock.pending]).toEqual([none, 0])
  })

  test('the life of a stream ends with its session, at once if this process ends it', async () => {
    for (const [way, said] of [
      ['of one job', ['end token-expired']],
      ["of an owner's jobs", []],
      ['of figures', []],
    ] as const) {
      const hub = await setUp()
      const reader = await hub.open(async (hub) => ways[way]?.(hub, { sub: 'ada', session: 's1' }))
      const other = await hub.open(async (hub) => ways[way]?.(hub, { sub: 'ada', session: 's2' }))
      reader.take()
      hub.hub.endSession('s1')
      expect([reader.isClosed, other.isClosed]).toEqual([true, false])
      expect(reader.takeMessages()).toEqual([...said])
      hub.hub.endSession('s2')
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    }
  })

  test('the life of a stream ends with a session that ends while the stream is being opened', async () => {
    const viewer = { sub: 'ada', session: 's1' }
    const jobs = ['job-1', 'job-2'].map((id) => ({ id, session: 's1' }))
    for (const [open, said] of [
      [(hub: Hub) => hub.openJob('job-1', 'all', undefined, viewer), ['end token-expired']],
      [(hub: Hub) => hub.openJobs(jobs, { sub: 'ada' }), ['end job-1 token-expired', 'end job-2 token-expired']],
      [(hub: Hub) => hub.openOwner('ada', undefined, viewer), []],
    ] as const) {
      const hub = await setUp()
      const subscribed = hub.hold('watch')
      const opening = hub.open(open)
      await settle()
      hub.hub.endSession('s1')
      await subscribed()
      const reader = await opening
      expect([reader.isClosed, reader.takeMessages()]).toEqual([true, [...said]])
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    }
  })

  test('the life of a stream of several jobs ends with the last session that grants it one', async () => {
    const hub = await setUp()
    const jobs = [
      { id: 'job-1', session: 's1' },
      { id: 'job-2', session: 's2' },
    ]
    const reader = await hub.open((hub) => hub.openJobs(jobs, { sub: 'ada' }))
    reader.take()
    hub.hub.endSession('s1')
    expect([reader.takeMessages(), reader.isClosed]).toEqual([['end job-1 token-expired'], false])
    hub.hub.endSession('s2')
    expect([reader.takeMessages(), reader.isClosed]).toEqual([['end job-2 token-expired'], true])
    expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
  })

  test('the life of a stream ends within 30 s of the end of its session in another process, which is checked once per session', async () => {
    const asked: string[] = []
    let answer: () => Promise<boolean> = async () => true
    const isSessionOpen = (id: string) => {
      asked.push(id)
      return answer()
    }
    for (const more of [{}, { subscriptionsPerStream: 5 }]) {
      asked.length = 0
      answer = async () => true
      const hub = await setUp({ isSessionOpen, ...more })
      const jobs = ['job-1', 'job-2'].map((id) => ({ id, session: 's1' }))
      const reader = await hub.open((hub) => hub.openJobs(jobs, { sub: 'ada' }))
      await hub.clock.advance(60_000)
      expect(asked).toEqual(['s1', 's1', 's1'])
      answer = () => Promise.reject(new Error('The store is away'))
      await hub.clock.advance(60_000)
      expect(reader.isClosed).toBe(false)
      answer = async () => false
      // Where streams are tied to their requests, the one that ends a session can't end them.
      if ('subscriptionsPerStream' in more) hub.hub.endSession('s1')
      expect(reader.isClosed).toBe(false)
      await hub.clock.advance(25_000)
      expect(reader.isClosed).toBe(true)
      expect([hub.hub.open, hub.clock.pending]).toEqual([none, 0])
    }
  })

  test('the life of a job on a stream of several ends with its own token, and the stream goes on', async () => {
    const hub = await setUp()
    const jobs = [{ id: 'job-1', expiresAt: hub.clock.now() + 10_000 }, { id: 'job-2' }]
    const reader = await hub.open((hub) => hub.openJobs(jobs, { sub: 'ada' }))
    reader.take()
    await hub.clock.advance(10_000)
    expect(reader.take()).toEqual(['event: end\ndata: {"jobId":"job-1","reason":"token-expired"}\n\n'])
    await hub.apply('job-1', progress(1))
    await hub.apply('job-2', progress(1))
    expect(reader.takeMessages()).toEqual(['progress job-2 e1-2'])
  })

  test("the life of a stream of an owner's jobs ends with the credentials, without end", async () => {
    const hub = await setUp()
    const viewer = { sub: 'ada', expiresAt: hub.clock.now() + 10_000 }
    const reader = await hub.open((hub) => hub.openOwner('ada', undefined, viewer))
    reader.take()
    await hub.clock.advance(10_000)
    expect([reader.take(), reader.isClosed]).toEqual([[], true])
  })

  test('the life of a stream is bounded however long the credentials are valid', async () => {
    const hub = await setUp()
    const viewer = { sub: 'ada', expiresAt: Number.MAX_VALUE }
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, viewer))
    await hub.clock.advance(1_080_000)
    expect(reader.isClosed).toBe(true)
    expect(hub.clock.pending).toBe(0)
  })

  test('the life of a stream ends at once with credentials that expired while it was opened', async () => {
    const hub = await setUp()
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada', expiresAt: 1 }))
    await hub.clock.advance(0)
    expect(reader.takeMessages().at(-1)).toBe('end token-expired')
  })

  test('close ends every stream without end', async () => {
    const hub = await setUp()
    const readers = await Promise.all(Object.values(ways).map((open) => hub.open((hub) => open(hub, { sub: 'ada' }))))
    hub.hub.close()
    for (const reader of readers) {
      expect(reader.isClosed).toBe(true)
      expect(reader.takeMessages().filter((message) => message.startsWith('end'))).toEqual([])
    }
    expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
  })

  for (const [way, open] of Object.entries(waysOfJobs)) {
    test(`the life of a stream ${way} ends without end when the engine fails while it is read`, async () => {
      const hub = await setUp()
      hub.fail('changesSince')
      hub.fail('list')
      const reader = await hub.open((hub) => open(hub, { sub: 'ada' }))
      expect(reader.isClosed).toBe(true)
      expect(reader.takeMessages()).toEqual([])
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    })

    test(`the life of a stream ${way} never begins when subscribing to the engine fails`, async () => {
      const hub = await setUp()
      hub.fail('watch')
      expect(open(hub.hub, { sub: 'ada' })).rejects.toThrow('The engine is away')
      await settle()
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    })
  }

  for (const [way, open] of Object.entries(ways)) {
    test(`close refuses a stream ${way} afterwards`, async () => {
      const hub = await setUp()
      hub.hub.close()
      const refused = await open(hub.hub, { sub: 'ada' }).catch((error) => error)
      expect(refused instanceof ProblemError && refused.problem.status).toBe(503)
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    })

    test(`the life of a stream ${way} ends at a write that the runtime refuses`, async () => {
      const hub = await setUp()
      const reader = await hub.open((hub) => open(hub, { sub: 'ada' }))
      reader.failure = new TypeError('The reader is gone')
      await hub.apply('job-1', progress(1))
      await hub.clock.advance(30_000)
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    })
  }
})

describe('a stream that is left', () => {
  const left: Record<string, (stream: ReadableStream, abort: AbortController) => unknown> = {
    'by its reader': (stream) => stream.cancel(),
    'by the end of its request': (_stream, abort) => abort.abort(),
    'by both': (stream, abort) => {
      abort.abort()
      return stream.cancel().catch(() => {})
    },
  }

  for (const [way, open] of Object.entries(ways)) {
    for (const [how, leave] of Object.entries(left)) {
      test(`a stream ${way} that is left ${how} leaks nothing, 500 times`, async () => {
        const hub = await setUp({ real: true })
        const { abort, signal, listeners } = countedSignal()
        const streams: ReadableStream[] = []
        for (let n = 0; n < 500; n++) streams.push(await open(hub.hub, { sub: 'ada', signal }))
        await settle()
        expect([hub.hub.open.streams, listeners()]).toEqual([500, 500])
        for (const stream of streams) await leave(stream, abort)
        await settle()
        expect([hub.hub.open, hub.watches, hub.clock.pending, listeners()]).toEqual([none, 0, 0, 0])
      })
    }

    test(`a stream ${way} whose request ends before it begins leaks nothing`, async () => {
      const hub = await setUp({ real: true })
      const { signal, listeners } = countedSignal()
      const aborted = AbortSignal.abort()
      Object.defineProperty(signal, 'aborted', { get: () => aborted.aborted })
      for (let n = 0; n < 100; n++) await open(hub.hub, { sub: 'ada', signal, expiresAt: hub.clock.now() + 60_000 })
      await settle()
      expect([hub.hub.open, hub.watches, hub.clock.pending, listeners()]).toEqual([none, 0, 0, 0])
    })
  }

  for (const [way, open] of Object.entries(waysOfJobs)) {
    test(`a stream ${way} whose request ends while it is prepared leaks nothing`, async () => {
      const hub = await setUp({ real: true })
      const { abort, signal, listeners } = countedSignal()
      const gate = hub.hold('watch')
      const opening = open(hub.hub, { sub: 'ada', signal, expiresAt: hub.clock.now() + 60_000 })
      await settle()
      abort.abort()
      await gate()
      const reader = (await opening).getReader()
      for (let read = await reader.read(); !read.done; read = await reader.read());
      expect([hub.hub.open, hub.watches, hub.clock.pending, listeners()]).toEqual([none, 0, 0, 0])
    })

    test(`a stream ${way} that is left while a page is read leaks nothing`, async () => {
      const hub = await setUp({ real: true })
      const [first, second] = [hub.hold('changesSince'), hub.hold('list')]
      const stream = await open(hub.hub, { sub: 'ada' })
      const reader = stream.getReader()
      await reader.read()
      await settle()
      await reader.cancel()
      await second()
      await first()
      expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([none, 0, 0])
    })
  }
})

describe('the limit of streams', () => {
  test('the limit of streams is per principal, and closed streams do not count', async () => {
    const hub = await setUp({ limits: { streams: 2, jobStreams: 2 } })
    const reader = await hub.follow()
    await hub.follow('job-2')
    for (const open of Object.values(ways)) {
      const error = await open(hub.hub, { sub: 'ada' }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(ProblemError)
      expect((error as ProblemError).problem).toEqual({
        type: 'urn:milepost:too-many',
        status: 429,
        title: 'Too many',
        detail: 'You have 2 streams open. Close some, then try again.',
        limit: 'streams',
      })
    }
    await hub.follow('job-1', 'all', 'eve')
    expect(hub.hub.open).toEqual({ streams: 3, channels: 2 })
    reader.cancel()
    await hub.follow()
    expect(hub.hub.open).toEqual({ streams: 3, channels: 2 })
  })

  test('the limit of streams opened with watch tokens is per job, and does not count against the maker of the token', async () => {
    const hub = await setUp({ limits: { streams: 1, jobStreams: 2 } })
    const open = (jobs: string[]) =>
      hub.open((hub) =>
        hub.openJobs(
          jobs.map((id) => ({ id })),
          { sub: 'ada', jobs },
        ),
      )
    const both = await open(['job-1', 'job-2'])
    await open(['job-1'])
    const refusal = await open(['job-2', 'job-1']).catch((reason: unknown) => reason)
    expect((refusal as ProblemError).problem).toMatchObject({
      status: 429,
      detail: 'Its tokens have 2 streams of job job-1 open. Try again later.',
    })
    await open(['job-2'])
    await hub.follow()
    both.cancel()
    await open(['job-1', 'job-2'])
    expect(hub.hub.open.streams).toBe(4)
  })
})
