import { describe, expect, test } from 'bun:test'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { log, progress, type Reader, TestHub } from '../test-hub.ts'

const many = (count: number): JobEvent[] => Array.from({ length: count }, (_, n) => progress(n))
const big = (letter: string): JobEvent => ({ type: 'log', message: letter.repeat(8_000) })

async function setUp() {
  const test = new TestHub()
  await test.create()
  return test
}

/** The messages of a reader as what they are and where they lead, without the ends of pages. */
const places = (reader: Reader) => reader.takeMessages().map((message) => message.replace('e1-', ''))

describe('following from the beginning', () => {
  test('following begins with the retry and the document, in exactly these bytes', async () => {
    const hub = await setUp()
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    const [retry, snapshot] = reader.take()
    expect(retry).toMatch(/^retry: [1-5]\d{3}\n$/)
    expect(snapshot).toBe(
      'event: snapshot\nid: e1-1\ndata: {"id":"job-1","epoch":"e1","version":1,"kind":"import","title":"Import of contacts",' +
        '"owner":"ada","createdBy":"importer","status":"pending","progress":{"done":0},' +
        '"itemCounts":{"pending":0,"running":0,"succeeded":0,"failed":0,"skipped":0},"errorCount":0,"logCount":0,' +
        '"cancelRequested":false,"pauseRequested":false,"createdAt":"2026-01-01T00:00:00.000Z",' +
        '"updatedAt":"2026-01-01T00:00:00.000Z","lastEventAt":"2026-01-01T00:00:00.000Z",' +
        '"steps":[],"items":[],"errors":[],"logs":[]}\n\n',
    )
  })

  test('following loses and repeats nothing that is published while the document is read', async () => {
    for (const published of [1, 3, 8, 9, 30]) {
      const hub = await setUp()
      const open = hub.hold('changesSince')
      const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
      // The answer, at version 1, is on its way.
      await hub.report('job-1', ...many(published))
      await hub.clock.advance(1_000)
      expect(reader.take()).toHaveLength(1)
      await open()
      await hub.clock.advance(25)
      const messages = places(reader)
      expect(messages[0]).toBe('snapshot 1')
      expect(messages.at(-1)).toEndWith(` ${published + 1}`)
      expect(versionsOf(messages)).toBe(true)
      await hub.apply('job-1', progress(99))
      await hub.clock.advance(25)
      expect(places(reader)).toEqual([`progress ${published + 2}`])
    }
  })

  test('following loses and repeats nothing that is published while the subscription is made', async () => {
    const hub = await setUp()
    const open = hub.hold('watch')
    const opening = hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    await hub.report('job-1', ...many(3))
    await open()
    const reader = await opening
    expect(places(reader)).toEqual(['snapshot 4'])
    await hub.clock.advance(50)
    await hub.apply('job-1', progress(9))
    expect(places(reader)).toEqual(['progress 5'])
  })

  test('following accepts no frame that starts before its version, but reads the rest', async () => {
    const hub = await setUp()
    const first = await hub.follow()
    await hub.apply('job-1', progress(1))
    // Gathers with those that come, until the frame's time is up.
    await hub.apply('job-1', progress(2))
    const second = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    expect(places(second)).toEqual(['snapshot 3'])
    await hub.apply('job-1', progress(3))
    await hub.clock.advance(25)
    expect(places(first)).toEqual(['progress 2', 'progress 3', 'progress 4'])
    expect(places(second)).toEqual(['patch 4'])
  })

  test('following an ended job sends the snapshot and end', async () => {
    const hub = await setUp()
    await hub.report('job-1', progress(1), { type: 'status', status: 'cancelled' })
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    expect(places(reader)).toEqual(['snapshot 3', 'end cancelled'])
    expect(reader.isClosed).toBe(true)
    expect([hub.hub.open, hub.watches, hub.clock.pending]).toEqual([{ streams: 0, channels: 0 }, 0, 0])
  })

  test('following from a cursor at the end of a job sends end, and closes', async () => {
    const hub = await setUp()
    await hub.apply('job-1', { type: 'status', status: 'completed' })
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', { epoch: 'e1', version: 2 }, { sub: 'ada' }))
    expect(places(reader)).toEqual(['end completed'])
    expect(reader.isClosed).toBe(true)
  })

  test('following a removed job sends end', async () => {
    const hub = await setUp()
    await hub.engine.remove('job-1')
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    expect(places(reader)).toEqual(['end deleted'])
    expect(reader.isClosed).toBe(true)
  })
})

describe('following slowly', () => {
  test('following without room sends nothing, and later the kept frames, with the same bytes as to others', async () => {
    const hub = await setUp()
    const [quick, slow] = [await hub.follow(), await hub.follow()]
    slow.hasRoom = false
    for (let n = 0; n < 3; n++) {
      await hub.apply('job-1', progress(n))
      await hub.clock.advance(25)
    }
    expect(slow.writes).toHaveLength(0)
    const deliveries = hub.counter('deliveries')
    slow.drain()
    await hub.clock.advance(0)
    expect(slow.writes).toHaveLength(3)
    for (const [at, bytes] of slow.writes.entries()) expect(bytes).toBe(quick.writes[at] as Uint8Array)
    expect(hub.counter('deliveries')).toBe(deliveries + 3)
  })

  test('following stops sending kept frames when there is no room', async () => {
    const hub = await setUp()
    const slow = await hub.follow()
    slow.hasRoom = false
    for (let n = 0; n < 3; n++) {
      await hub.apply('job-1', progress(n))
      await hub.clock.advance(25)
    }
    slow.takesOneWrite = true
    slow.drain()
    expect(places(slow)).toEqual(['progress 2'])
    slow.drain()
    expect(places(slow)).toEqual(['progress 3'])
  })

  test('following that is behind by more frames than are kept sends one merged patch', async () => {
    const hub = await setUp()
    const slow = await hub.follow()
    slow.hasRoom = false
    for (let n = 0; n < 9; n++) {
      await hub.apply('job-1', progress(n))
      await hub.clock.advance(25)
    }
    slow.drain()
    await hub.clock.advance(0)
    expect(slow.writes).toHaveLength(1)
    expect(places(slow)).toEqual(['patch 10'])
  })

  test('following without room reads no patch until there is room: then one with all changes and the end', async () => {
    const hub = await setUp()
    const slow = await hub.follow()
    slow.hasRoom = false
    let reads = 0
    const changesSince = hub.engine.changesSince.bind(hub.engine)
    hub.engine.changesSince = (...args) => {
      reads += 1
      return changesSince(...args)
    }
    for (let n = 0; n < 3; n++) {
      await hub.apply('job-1', ...Array.from({ length: 9 }, (_, m) => progress(9 * n + m)))
      await hub.clock.advance(25)
    }
    await hub.apply('job-1', ...Array.from({ length: 9 }, (_, m) => progress(m)), {
      type: 'status',
      status: 'completed',
    })
    await hub.clock.advance(25)
    expect([reads, slow.writes.length]).toEqual([0, 0])
    slow.drain()
    await hub.clock.advance(0)
    expect(places(slow)).toEqual(['patch 38', 'end completed'])
    expect([reads, slow.isClosed]).toEqual([1, true])
  })

  test('following that is behind by more bytes than are kept sends one merged patch', async () => {
    const hub = await setUp()
    const [quick, slow] = [await hub.follow(), await hub.follow()]
    slow.hasRoom = false
    // 3 × 8 × 8,000 bytes; 64 KiB are kept.
    for (const letter of ['a', 'b', 'c']) {
      await hub.apply('job-1', ...Array.from({ length: 8 }, () => big(letter)))
      await hub.clock.advance(25)
    }
    expect(quick.takeMessages()).toHaveLength(24)
    slow.drain()
    await hub.clock.advance(0)
    expect(places(slow)).toEqual(['patch 25'])
  })

  test('following without room takes no memory: thousands of events are queued nowhere', async () => {
    const hub = await setUp()
    const slow = await hub.follow()
    slow.hasRoom = false
    const before = hub.counter('deliveries')
    for (let n = 0; n < 5_000; n++) {
      await hub.apply('job-1', progress(n))
      if (n % 10 === 0) await hub.clock.advance(25)
    }
    expect([slow.writes.length, hub.counter('deliveries') - before]).toEqual([0, 0])
    slow.drain()
    await hub.clock.advance(0)
    expect(places(slow)).toEqual(['patch 5001'])
  })

  test('following sends the end when there is room again', async () => {
    const hub = await setUp()
    const slow = await hub.follow()
    slow.hasRoom = false
    await hub.report('job-1', progress(1), { type: 'status', status: 'completed' })
    expect(slow.isClosed).toBe(false)
    slow.drain()
    await hub.clock.advance(0)
    expect(places(slow)).toEqual(['progress 2', 'status 3', 'end completed'])
    expect(slow.isClosed).toBe(true)
  })
})

describe('following a large document', () => {
  /** 100 log lines of 8,000 bytes: four pages of about 256 KiB. */
  async function large() {
    const hub = await setUp()
    for (let n = 0; n < 100; n++) await hub.apply('job-1', big('x'))
    return hub
  }

  test('following reads a page when there is room for it, and not before', async () => {
    const hub = await large()
    const open = hub.hold('changesSince')
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    reader.take()
    reader.takesOneWrite = true
    await open()
    const pages: string[] = []
    for (let asked = 0; asked < 4; asked++) {
      await hub.clock.advance(1_000)
      expect(reader.writes).toHaveLength(1)
      pages.push(...places(reader))
      reader.drain()
      await hub.clock.advance(0)
    }
    expect(reader.take()).toEqual([])
    expect(pages).toEqual(['snapshot 34 more', 'patch 67 more', 'patch 100 more', 'patch 101'])
  })

  test('following continues after a page with the changes made meanwhile, and accepts frames only once it is complete', async () => {
    const hub = await large()
    const open = hub.hold('changesSince')
    const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    reader.take()
    reader.takesOneWrite = true
    await open()
    reader.takesOneWrite = false
    await hub.report('job-1', log('new'), progress(7))
    await hub.clock.advance(100)
    const [first] = places(reader)
    expect(first).toEndWith('more')
    reader.drain()
    await hub.clock.advance(0)
    const rest = places(reader)
    expect(rest.slice(0, -1).every((message) => /^patch \d+ more$/.test(message))).toBe(true)
    expect(rest.at(-1)).toBe('patch 103')
    await hub.apply('job-1', progress(8))
    await hub.clock.advance(25)
    expect(places(reader)).toEqual(['progress 104'])
  })

  test('following shares no frame that is too large: each follower reads its own pages', async () => {
    const hub = await setUp()
    const [one, two] = [await hub.follow(), await hub.follow()]
    two.hasRoom = false
    await hub.apply('job-1', ...Array.from({ length: 100 }, () => big('x')))
    await hub.clock.advance(25)
    const pages = places(one)
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.at(-1)).toBe('patch 101')
    expect(two.writes).toHaveLength(0)
    two.drain()
    await hub.clock.advance(0)
    expect(places(two)).toEqual(pages)
  })
})

/** Whether messages lead from version to version: events by one, patches by any number, none back and none twice. */
function versionsOf(messages: string[]): boolean {
  let version = 0
  for (const message of messages) {
    const [event, text] = message.split(' ')
    const next = Number(text)
    if (next <= version || (event === 'progress' && next !== version + 1)) return false
    version = next
  }
  return true
}
