import { describe, expect, test } from 'bun:test'
import { settle } from '../../../../virtual-clock.ts'
import { none, progress, setUpTwo as setUp, ways } from '../test-hub.ts'

describe('the first ping', () => {
  test("the first ping comes right after the document with the server's time, later ones every 30 s", async () => {
    const hub = await setUp()
    await hub.clock.advance(7_000)
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    expect(reader.greeting?.text).toBe('event: ping\ndata: {"at":"2026-01-01T00:00:07.000Z","version":1}\n\n')
    expect(reader.greeting?.after).toStartWith('event: snapshot\n')
    reader.take()
    await hub.clock.advance(30_000)
    expect(reader.takeMessages()).toEqual(['ping 1'])
  })

  test('the first ping comes at once to a client that is up to date', async () => {
    const hub = await setUp()
    const cursor = { epoch: 'e1', version: 1 }
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', cursor, { sub: 'ada' }))
    expect(reader.greeting?.text).toBe('event: ping\ndata: {"at":"2026-01-01T00:00:00.000Z","version":1}\n\n')
    expect(reader.greeting?.after).toMatch(/^retry: \d+\n$/)
  })

  test('the first ping of a large document comes after its last page', async () => {
    const hub = await setUp()
    for (let row = 0; row < 40; row++) {
      await hub.apply('job-1', { type: 'item', id: `${row}`, message: 'x'.repeat(8_000) })
    }
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    expect(reader.takeMessages()).toEqual([expect.stringContaining('more'), 'patch e1-41'])
    expect(reader.greeting?.after).toStartWith('event: patch\nid: e1-41\n')
  })

  test('the first ping of several jobs comes after the state of each, including those that have ended', async () => {
    const hub = await setUp()
    await hub.apply('job-2', { type: 'status', status: 'failed' })
    const followed = [{ id: 'gone', gone: true }, { id: 'job-1' }, { id: 'job-2' }]
    const reader = await hub.open((hub) =>
      hub.openJobs(
        followed.map((job) => ({ ...job, view: 'header' as const })),
        { sub: 'ada' },
      ),
    )
    expect(reader.greeting?.text).toBe('event: ping\ndata: {"at":"2026-01-01T00:00:00.000Z"}\n\n')
    expect(reader.takeMessages().length).toBe(4)
    for (const order of [['job-1', 'job-2'], ['job-2']]) {
      const held = await setUp()
      const open = held.hold('changesSince')
      const late = await held.open((hub) =>
        hub.openJobs(
          order.map((id) => ({ id, view: 'header' as const })),
          { sub: 'ada' },
        ),
      )
      expect(late.greeting).toBeUndefined()
      await open()
      expect([late.greeting === undefined, late.takeMessages().length]).toEqual([false, order.length])
    }
  })

  test("the first ping of an owner's jobs comes after the whole list, even if it is empty", async () => {
    const hub = await setUp()
    const reader = await hub.open((hub) => hub.openOwner('ada', undefined, { sub: 'ada' }))
    expect(reader.greeting?.after).toContain('"jobId":"job-1"')
    const nobody = await hub.open((hub) => hub.openOwner('eve', undefined, { sub: 'eve' }))
    expect(nobody.greeting?.text).toBe('event: ping\ndata: {"at":"2026-01-01T00:00:00.000Z"}\n\n')
  })
})

describe('a ping', () => {
  test('a ping of one job comes every 30 s with its version and the server clock, and has no id', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.clock.advance(29_999)
    expect(reader.take()).toEqual([])
    await hub.clock.advance(1)
    expect(reader.take()).toEqual(['event: ping\ndata: {"at":"2026-01-01T00:00:30.000Z","version":1}\n\n'])
    await hub.apply('job-1', progress(1))
    reader.take()
    await hub.clock.advance(30_000)
    expect(reader.take()).toEqual(['event: ping\ndata: {"at":"2026-01-01T00:01:00.000Z","version":2}\n\n'])
  })

  test('a ping comes whatever else is sent', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    for (let second = 0; second < 90; second++) {
      await hub.apply('job-1', progress(second))
      await hub.clock.advance(1_000)
    }
    expect(reader.takeMessages().filter((message) => message.startsWith('ping'))).toHaveLength(3)
  })

  test('a ping of several jobs and of an owner comes once for all of them, without a version', async () => {
    for (const way of ['of several jobs', "of an owner's jobs"]) {
      const hub = await setUp()
      const reader = await hub.open((hub) => ways[way]?.(hub, { sub: 'ada' }) ?? Promise.reject())
      reader.take()
      await hub.clock.advance(60_000)
      expect(reader.take()).toEqual([
        'event: ping\ndata: {"at":"2026-01-01T00:00:30.000Z"}\n\n',
        'event: ping\ndata: {"at":"2026-01-01T00:01:00.000Z"}\n\n',
      ])
    }
  })

  test('a ping comes only when the client is up to date: before that, comments keep the connection open', async () => {
    for (const [way, method] of [
      ['of several jobs', 'changesSince'],
      ["of an owner's jobs", 'list'],
    ] as const) {
      const hub = await setUp()
      const answer = hub.hold(method)
      const reader = await hub.open((hub) => ways[way]?.(hub, { sub: 'ada' }) ?? Promise.reject())
      reader.take()
      await hub.clock.advance(60_000)
      expect([reader.take(), reader.greeting]).toEqual([[': more follows\n\n', ': more follows\n\n'], undefined])
      await answer()
      expect([reader.takeMessages().length, reader.greeting?.text]).toEqual([
        2,
        'event: ping\ndata: {"at":"2026-01-01T00:01:00.000Z"}\n\n',
      ])
      await hub.clock.advance(30_000)
      expect(reader.take()).toEqual(['event: ping\ndata: {"at":"2026-01-01T00:01:30.000Z"}\n\n'])
    }
  })

  test("a ping never comes between two pages of an owner's jobs", async () => {
    const hub = await setUp()
    for (let n = 0; n < 150; n++) await hub.create({ id: `${n}` })
    const list = hub.engine.list.bind(hub.engine)
    const second = Promise.withResolvers<void>()
    hub.engine.list = async (query) => {
      if (query.cursor !== undefined) await second.promise
      return list(query)
    }
    const reader = await hub.open((hub) => hub.openOwner('ada', undefined, { sub: 'ada' }))
    await hub.clock.advance(33_000)
    expect([reader.takeMessages().length, reader.greeting]).toEqual([100, undefined])
    second.resolve()
    await settle()
    expect([reader.takeMessages().length, reader.greeting !== undefined]).toEqual([52, true])
  })

  test('a ping leaves nothing behind: a stream that ends after many clears its few open timers', async () => {
    for (const open of Object.values(ways)) {
      const hub = await setUp({ pingMs: 1_000 })
      const viewer = { sub: 'ada', session: 's', expiresAt: hub.clock.now() + 3_600_000 }
      const reader = await hub.open((hub) => open(hub, viewer))
      await hub.clock.advance(600_000)
      const { pending } = hub.clock
      let cleared = 0
      const clear = hub.clock.clearTimeout.bind(hub.clock)
      hub.clock.clearTimeout = (timer) => {
        cleared += 1
        clear(timer)
      }
      reader.cancel()
      expect([hub.clock.pending, cleared]).toEqual([0, pending])
    }
  })

  test('a ping is not queued for a stream without room', async () => {
    for (const open of Object.values(ways)) {
      const hub = await setUp()
      const reader = await hub.open((hub) => open(hub, { sub: 'ada' }))
      reader.take()
      reader.hasRoom = false
      await hub.clock.advance(600_000)
      expect(reader.take()).toEqual([])
    }
  })

  test('a ping finds the change of a lost wake-up, in either view', async () => {
    for (const view of ['all', 'header'] as const) {
      const hub = await setUp()
      hub.engine.watch = async () => () => {}
      const reader = await hub.follow('job-1', view)
      await hub.report('job-1', progress(1), progress(2))
      await hub.clock.advance(29_999)
      expect(reader.take()).toEqual([])
      await hub.clock.advance(1)
      expect(reader.takeMessages()).toEqual(['ping 1', 'patch e1-3'])
      await hub.apply('job-1', { type: 'status', status: 'completed' })
      await hub.clock.advance(30_000)
      expect(reader.takeMessages()).toEqual(['ping 3', 'patch e1-4', 'end completed'])
      expect(hub.hub.open).toEqual(none)
    }
  })

  test('a ping finds that a job was removed or created again when the wake-up was lost', async () => {
    const hub = await setUp()
    hub.engine.watch = async () => () => {}
    const removed = await hub.follow('job-1')
    await hub.engine.remove('job-1')
    await hub.clock.advance(30_000)
    expect(removed.takeMessages()).toEqual(['ping 1', 'end deleted'])

    const replaced = await hub.follow('job-2')
    await hub.engine.remove('job-2')
    await hub.create({ id: 'job-2', epoch: 'e2' })
    await hub.clock.advance(30_000)
    // The next life may be another's: whoever follows has to ask again.
    expect(replaced.takeMessages()).toEqual(['ping 1'])
    expect(replaced.isClosed).toBe(true)
    expect(hub.hub.open).toEqual(none)
  })

  test('a ping starts no check for lost wake-ups while one is under way', async () => {
    const hub = await setUp()
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target) => watch(target, () => {})
    const reader = await hub.follow()
    await hub.apply('job-1', progress(1))
    const answer = hub.hold('read')
    let reads = 0
    const read = hub.engine.read.bind(hub.engine)
    hub.engine.read = (id) => {
      reads += 1
      return read(id)
    }
    await hub.clock.advance(90_000)
    expect([reads, reader.takeMessages()]).toEqual([1, ['ping 1', 'ping 1', 'ping 1']])
    await answer()
    await hub.clock.advance(30_025)
    expect(reader.takeMessages()).toEqual(['patch e1-2', 'ping 2'])
  })

  test('a ping that finds the engine unavailable retries at the next', async () => {
    const hub = await setUp()
    hub.engine.watch = async () => () => {}
    const reader = await hub.follow()
    await hub.apply('job-1', progress(1))
    const mend = hub.fail('read')
    await hub.clock.advance(30_000)
    expect(reader.takeMessages()).toEqual(['ping 1'])
    expect(hub.counter('engine_errors')).toBe(1)
    mend()
    await hub.clock.advance(30_000)
    expect(reader.takeMessages()).toEqual(['ping 1', 'patch e1-2'])
  })
})
