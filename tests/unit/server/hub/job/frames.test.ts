import { describe, expect, test } from 'bun:test'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { log, progress, TestHub } from '../test-hub.ts'

const many = (count: number): JobEvent[] => Array.from({ length: count }, (_, n) => progress(n))

async function setUp(frameMs = 25) {
  const test = new TestHub({ frameMs })
  await test.create()
  return test
}

describe('a frame', () => {
  test('a frame with the first event after a quiet period leaves at once; later events leave together in one write', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.apply('job-1', progress(1))
    expect(reader.take()).toEqual([
      'event: progress\nid: e1-2\ndata: {"type":"progress","version":2,"at":"2026-01-01T00:00:00.000Z","done":1}\n\n',
    ])
    await hub.clock.advance(10)
    await hub.report('job-1', progress(2), { type: 'error', message: 'E' })
    await hub.clock.advance(14)
    expect(reader.take()).toEqual([])
    await hub.clock.advance(1)
    expect(reader.take()).toEqual([
      'event: progress\nid: e1-3\ndata: {"type":"progress","version":3,"at":"2026-01-01T00:00:00.010Z","done":2}\n\n' +
        'event: job-error\nid: e1-4\ndata: {"type":"error","version":4,"at":"2026-01-01T00:00:00.010Z","message":"E"}\n\n',
    ])
    expect(hub.clock.now()).toBe(Date.parse('2026-01-01T00:00:00.025Z'))
  })

  test('a frame follows the one before after frameMs at the earliest, however many events there are', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    for (let ms = 0; ms < 1_000; ms++) {
      await hub.apply('job-1', progress(ms))
      await hub.clock.advance(1)
    }
    expect(reader.writes).toHaveLength(1 + 1_000 / 25)
    expect(hub.counter('frames')).toBe(41)
  })

  test('a frame leaves at once again after frameMs of quiet', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    for (let n = 0; n < 3; n++) {
      await hub.apply('job-1', progress(n))
      expect(reader.takeMessages()).toEqual([`progress e1-${n + 2}`])
      await hub.clock.advance(25)
    }
  })

  test('a frame with the end leaves at once, with what waited, and the stream closes', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.report('job-1', progress(1), progress(2), { type: 'status', status: 'completed', message: 'M' })
    expect(reader.writes).toHaveLength(2)
    expect(reader.takeMessages()).toEqual(['progress e1-2', 'progress e1-3', 'status e1-4', 'end completed'])
    expect(reader.isClosed).toBe(true)
    expect(hub.hub.open).toEqual({ streams: 0, channels: 0 })
    expect(hub.clock.pending).toBe(0)
  })

  test('a frame of up to 8 events has them individually, a larger one as a merged patch', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.apply('job-1', ...many(8))
    expect(reader.takeMessages()).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((version) => `progress e1-${version}`))
    await hub.clock.advance(25)
    await hub.apply('job-1', ...many(9))
    await hub.clock.advance(0)
    const [text] = reader.take()
    expect(text).toStartWith('event: patch\nid: e1-18\ndata: {"from":9,"to":18,"job":{"id":"job-1",')
    expect(reader.take()).toEqual([])
  })

  test('a frame gathers single events past 8 into a patch, and counts anew after it', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.report('job-1', ...many(10))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['progress e1-2', 'patch e1-11'])
    await hub.report('job-1', ...many(3))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['progress e1-12', 'progress e1-13', 'progress e1-14'])
  })

  test('a frame that ends the job with more than 8 events is a patch, and its end', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.apply('job-1', ...many(9), { type: 'status', status: 'failed' })
    await hub.clock.advance(0)
    expect(reader.takeMessages()).toEqual(['patch e1-11', 'end failed'])
    expect(reader.isClosed).toBe(true)
  })

  test('a frame leaves in every turn of the event loop with frameMs 0, with all events of the turn', async () => {
    const hub = await setUp(0)
    const reader = await hub.follow()
    await hub.report('job-1', progress(1), progress(2))
    expect(reader.take()).toEqual([])
    await hub.clock.advance(0)
    expect(reader.writes).toHaveLength(1)
    expect(reader.takeMessages()).toEqual(['progress e1-2', 'progress e1-3'])
  })

  test('a frame is encoded once: the same bytes go to all who follow', async () => {
    const hub = await setUp()
    const readers = [await hub.follow(), await hub.follow(), await hub.follow()]
    await hub.apply('job-1', progress(1))
    await hub.apply('job-1', ...many(9))
    await hub.clock.advance(25)
    const [first, second] = readers.map(({ writes }) => writes)
    expect(first).toHaveLength(2)
    for (const { writes } of readers) {
      expect(writes[0]).toBe(first?.[0])
      expect(writes[1]).toBe(second?.[1])
    }
  })

  test('a frame for streams of several jobs says whose it is, and has no id', async () => {
    const hub = await setUp()
    await hub.create({ id: 'job-2' })
    const followed = [{ id: 'job-1' }, { id: 'job-2' }]
    const reader = await hub.open((hub) => hub.openJobs(followed, { sub: 'ada' }))
    expect(reader.takeMessages()).toEqual(['snapshot job-1 e1-1', 'snapshot job-2 e1-1'])
    await hub.apply('job-2', { type: 'error', message: 'E' })
    expect(reader.take()).toEqual([
      'event: job-error\ndata: {"jobId":"job-2","cursor":"e1-2","type":"error","version":2,"at":"2026-01-01T00:00:00.000Z","message":"E"}\n\n',
    ])
  })

  test('a frame of the header view has the header alone, with result and metadata when they changed', async () => {
    const hub = await setUp()
    const reader = await hub.follow('job-1', 'header')
    const patchOf = (text: string | undefined) => JSON.parse(/^data: (.*)$/m.exec(text ?? '')?.[1] ?? '')
    await hub.apply('job-1', { type: 'item', id: 'a', status: 'running' })
    const patch = patchOf(reader.take()[0])
    expect(Object.keys(patch)).toEqual(['from', 'to', 'job'])
    expect([patch.from, patch.to, patch.job.version, patch.job.itemCounts.running]).toEqual([1, 2, 2, 1])
    expect(patch.job).not.toHaveProperty('result')
    await hub.clock.advance(25)
    await hub.apply('job-1', { type: 'status', status: 'running', result: { rows: 1 }, metadata: null })
    expect(patchOf(reader.take()[0]).job).toMatchObject({ result: { rows: 1 }, metadata: null })
    await hub.clock.advance(25)
    await hub.apply('job-1', log('L'))
    expect(patchOf(reader.take()[0]).job).not.toHaveProperty('result')
  })

  test('a frame is not delayed by a clock that is set back', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.apply('job-1', progress(1))
    reader.take()
    const now = hub.clock.now.bind(hub.clock)
    hub.clock.now = () => now() - 3_600_000
    await hub.apply('job-1', progress(2))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['progress e1-3'])
  })

  test('a frame requested while another was being read leaves after it', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    const open = hub.hold('changesSince')
    await hub.apply('job-1', ...many(9))
    await hub.clock.advance(25)
    // More than a frame takes one by one, while the patch is being read: nobody may have to wait for a ping.
    await hub.report('job-1', ...many(9))
    await hub.clock.advance(25)
    expect(reader.take()).toEqual([])
    await open()
    await hub.clock.advance(25)
    expect(reader.takeMessages().at(-1)).toBe('patch e1-19')
  })

  test('a frame that ends the job while another is being read leaves right after it', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    const open = hub.hold('changesSince')
    await hub.apply('job-1', ...many(9))
    await hub.clock.advance(0)
    await hub.apply('job-1', { type: 'status', status: 'completed' })
    await open()
    expect(reader.takeMessages()).toEqual(['patch e1-10', 'status e1-11', 'end completed'])
  })

  test('a frame whose change came without a header is read, so that an end is not missed', async () => {
    const hub = await setUp()
    let wake: Parameters<typeof hub.engine.watch>[1] | undefined
    hub.engine.watch = async (_target, given) => {
      wake = given
      return () => {}
    }
    const reader = await hub.follow()
    const event = { type: 'status', status: 'completed' } as const
    await hub.apply('job-1', event)
    wake?.({ id: 'job-1', epoch: 'e1', from: 1, to: 2, events: [{ ...event, version: 2, at: hub.now }] })
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch e1-2', 'end completed'])
    expect(reader.isClosed).toBe(true)
  })
})
