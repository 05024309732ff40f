import { describe, expect, test } from 'bun:test'
import type { Hub } from '../../../../server/hub/hub.ts'
import { OwnerChannel } from '../../../../server/hub/owner-channel.ts'
import type { OwnerFollower } from '../../../../server/hub/owner-follower.ts'
import type { JobHeader } from '../../../../shared/job.ts'
import { log, progress, type Reader, TestHub } from './test-hub.ts'

const ended = { type: 'status', status: 'completed' } as const

const openAll = (hub: Hub) => hub.openOwner('ada', undefined, { sub: 'ada' })

/** A hub, an owner's job in it, and a reader that has been told of it. */
async function setUp() {
  const test = new TestHub()
  await test.create({ id: 'a' })
  const reader = await test.open(openAll)
  expect(reader.takeMessages()).toEqual(['snapshot a e1-1'])
  return { hub: test, reader }
}

/** What an owner's channel still holds, seen from outside: the headers that a follower at the very beginning would be sent. */
const held = (channel: OwnerChannel) => [...channel.sentAfter(0)].length

describe("a stream of an owner's jobs", () => {
  test("a stream of an owner's jobs begins with those that have not ended and the 100 newest that have, headers alone", async () => {
    const hub = new TestHub()
    for (let n = 0; n < 102; n++) {
      await hub.create({ id: `ended-${n}` })
      await hub.apply(`ended-${n}`, ended)
    }
    for (let n = 0; n < 205; n++) await hub.create({ id: `live-${n}`, ...(n === 0 ? { metadata: { m: 1 } } : {}) })
    await hub.create({ id: 'not-hers', owner: 'eve', createdBy: 'ada' })
    await hub.apply('live-0', { type: 'item', id: 'i', label: 'L' }, log('L'))
    const reader = await hub.open(openAll)
    const [, ...writes] = reader.writes.map((bytes) => new TextDecoder().decode(bytes))
    const messages = reader.takeMessages()
    const snapshots = messages.filter((message) => message.startsWith('snapshot'))
    expect(snapshots.slice(0, 205)).toEqual(
      Array.from({ length: 205 }, (_, n) => `snapshot live-${204 - n} e1-${n === 204 ? 3 : 1}`),
    )
    expect(snapshots.slice(205)).toEqual(Array.from({ length: 100 }, (_, n) => `snapshot ended-${101 - n} e1-2`))
    expect(messages.filter((message) => message === 'end ended-101 completed')).toHaveLength(1)
    expect(messages).toHaveLength(405)
    const last = writes.join('').match(/^data: (\{"jobId":"live-0".*)$/m)?.[1] ?? ''
    const header = JSON.parse(last)
    expect(header).toMatchObject({ cursor: 'e1-3', version: 3, logCount: 1, metadata: { m: 1 } })
    for (const list of ['items', 'steps', 'logs', 'errors', 'from', 'job']) expect(header).not.toHaveProperty(list)
  })

  test("a stream of an owner's jobs tells what is made, what changes and what is removed, and nothing of others", async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b', owner: 'eve' })
    await hub.apply('b', progress(1))
    expect(reader.takeMessages()).toEqual([])
    await hub.create({ id: 'c' })
    expect(reader.takeMessages()).toEqual(['snapshot c e1-1'])
    await hub.clock.advance(25)
    await hub.apply('a', progress(1))
    const [text] = reader.take()
    expect(text).toStartWith('event: patch\ndata: {"jobId":"a","cursor":"e1-2","from":1,"to":2,"job":{"id":"a",')
    await hub.clock.advance(25)
    await hub.engine.remove('c')
    expect(reader.takeMessages()).toEqual(['end c deleted'])
    await hub.clock.advance(25)
    await hub.apply('a', ended)
    expect(reader.takeMessages()).toEqual(['patch a e1-3', 'end a completed'])
    expect(reader.isClosed).toBe(false)
  })

  test("a stream of an owner's jobs gathers what follows within frameMs: one message a job, one write", async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b' })
    reader.take()
    await hub.report('a', progress(1), progress(2))
    await hub.report('b', progress(1), { type: 'status', status: 'running', result: 1 })
    await hub.report('a', progress(3))
    await hub.create({ id: 'c' })
    await hub.apply('c', progress(1))
    await hub.clock.advance(25)
    expect(reader.writes).toHaveLength(1)
    const [text] = reader.take()
    const data = [...(text ?? '').matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? ''))
    expect(data.map(({ jobId, from, to }) => [jobId, from, to])).toEqual([
      ['b', 1, 3],
      ['a', 1, 4],
      ['c', undefined, undefined],
    ])
    expect(data[0].job.result).toBe(1)
    expect(data[1].job).not.toHaveProperty('result')
    expect(data[2].version).toBe(2)
  })

  test("a stream of an owner's jobs says that a job expired when it was kept long enough", async () => {
    const { hub, reader } = await setUp()
    await hub.engine.apply('a', { events: [ended], at: hub.now, retentionSeconds: 10 })
    await hub.clock.advance(10_000)
    reader.take()
    await hub.engine.remove('a')
    expect(reader.takeMessages()).toEqual(['end a expired'])
  })

  test("a stream of an owner's jobs tells of the next life of an id from its beginning", async () => {
    const { hub, reader } = await setUp()
    await hub.engine.remove('a')
    await hub.clock.advance(25)
    await hub.create({ id: 'a', epoch: 'e2' })
    await hub.clock.advance(25)
    await hub.apply('a', progress(1))
    expect(reader.takeMessages()).toEqual(['end a deleted', 'snapshot a e2-1', 'patch a e2-2'])
  })

  test("a stream of an owner's jobs is told of a removal and the next life in one frame as the next life alone", async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b' })
    reader.take()
    await hub.engine.remove('a')
    await hub.create({ id: 'a', epoch: 'e2' })
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['snapshot a e2-1'])
  })
})

describe('listing while things happen', () => {
  test('listing loses and repeats nothing that happens meanwhile', async () => {
    const hub = new TestHub()
    for (const id of ['a', 'b', 'c']) await hub.create({ id })
    const gate = hub.hold('list')
    const reader = await hub.open(openAll)
    reader.take()
    // The list, as it was before any of this, is on its way.
    await hub.apply('a', progress(1))
    await hub.apply('b', ended)
    await hub.engine.remove('c')
    await hub.create({ id: 'd' })
    await hub.clock.advance(100)
    expect(reader.take()).toEqual([])
    await gate()
    await hub.clock.advance(100)
    expect(reader.takeMessages().sort()).toEqual(
      ['snapshot a e1-2', 'snapshot b e1-2', 'end b completed', 'end c deleted', 'snapshot d e1-1'].sort(),
    )
    await hub.apply('a', progress(2))
    expect(reader.takeMessages()).toEqual(['patch a e1-3'])
  })

  test('listing that is ahead of the frames is not repeated by them', async () => {
    const { hub, reader } = await setUp()
    await hub.report('a', progress(1), progress(2))
    expect(reader.takeMessages()).toEqual(['patch a e1-2'])
    // The second waits for its frame; who comes now is listed it already.
    const second = await hub.open(openAll)
    expect(second.takeMessages()).toEqual(['snapshot a e1-3'])
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch a e1-3'])
    expect(second.takeMessages()).toEqual([])
    await hub.apply('a', progress(3))
    await hub.clock.advance(25)
    expect(second.takeMessages()).toEqual(['patch a e1-4'])
  })

  test('listing finds what no wake-up told, and the others are told of it', async () => {
    const hub = new TestHub()
    await hub.create({ id: 'a' })
    const watch = hub.engine.watch.bind(hub.engine)
    let deaf = false
    hub.engine.watch = (target, wake) => watch(target, (change) => deaf || wake(change))
    const first = await hub.open(openAll)
    first.take()
    deaf = true
    await hub.apply('a', progress(1))
    await hub.create({ id: 'b' })
    deaf = false
    const second = await hub.open(openAll)
    await hub.clock.advance(25)
    expect(second.takeMessages()).toEqual(['snapshot b e1-1', 'snapshot a e1-2'])
    expect(first.takeMessages().sort()).toEqual(['patch a e1-2', 'snapshot b e1-1'])
    await hub.apply('a', progress(2))
    await hub.clock.advance(25)
    expect([first.takeMessages(), second.takeMessages()]).toEqual([['patch a e1-3'], ['patch a e1-3']])
  })
})

describe('what no wake-up told', () => {
  /** An owner's stream whose wake-ups are lost, or bare of all but versions. */
  async function hardOfHearing(hears: 'nothing' | 'versions') {
    const hub = new TestHub()
    await hub.create({ id: 'a' })
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target, wake) =>
      watch(target, ({ header: _header, events: _events, ...bare }) => hears === 'versions' && wake(bare))
    const reader = await hub.open(openAll)
    reader.take()
    return { hub, reader }
  }

  test('what no wake-up told is found at the ping: changes, new jobs, ends, removals', async () => {
    const { hub, reader } = await hardOfHearing('nothing')
    await hub.create({ id: 'b' })
    await hub.apply('a', progress(1))
    await hub.clock.advance(30_025)
    expect(reader.takeMessages().sort()).toEqual(['patch a e1-2', 'ping', 'snapshot b e1-1'])
    await hub.apply('a', ended)
    await hub.engine.remove('b')
    await hub.clock.advance(30_000)
    expect(reader.takeMessages().sort()).toEqual(['end a completed', 'end b deleted', 'patch a e1-3', 'ping'])
    await hub.clock.advance(90_000)
    expect(reader.takeMessages()).toEqual(['ping', 'ping', 'ping'])
  })

  test('what no wake-up told is found among more jobs than one page of the list', async () => {
    const { hub, reader } = await hardOfHearing('nothing')
    for (let n = 0; n < 250; n++) await hub.create({ id: `b-${n}` })
    await hub.apply('a', progress(1))
    await hub.clock.advance(30_025)
    expect(reader.takeMessages().filter((message) => message !== 'ping')).toHaveLength(251)
  })

  test('what a wake-up told without a header is read, once a frame', async () => {
    const { hub, reader } = await hardOfHearing('versions')
    let reads = 0
    const read = hub.engine.read.bind(hub.engine)
    hub.engine.read = (id) => {
      reads += 1
      return read(id)
    }
    await hub.apply('a', progress(0))
    await hub.clock.advance(50)
    expect([reader.takeMessages(), reads]).toEqual([['patch a e1-2'], 1])
    for (let n = 0; n < 100; n++) await hub.apply('a', progress(n))
    await hub.create({ id: 'b' })
    await hub.clock.advance(100)
    // The first is read at once, the rest together.
    expect(reader.takeMessages()).toEqual(['patch a e1-3', 'patch a e1-102', 'snapshot b e1-1'])
    expect(reads).toBe(4)
    await hub.engine.remove('b')
    await hub.clock.advance(100)
    expect(reader.takeMessages()).toEqual(['end b deleted'])
  })

  test('what a wake-up told is asked for again at the ping when the engine was away', async () => {
    const { hub, reader } = await hardOfHearing('versions')
    const mend = hub.fail('read')
    await hub.apply('a', progress(1))
    await hub.clock.advance(1_000)
    mend()
    expect(reader.takeMessages()).toEqual([])
    await hub.clock.advance(30_000)
    expect(reader.takeMessages().sort()).toEqual(['patch a e1-2', 'ping'])
  })
})

describe('an owner who reads slowly', () => {
  test('an owner who reads slowly is sent the newest of each job that changed, once, when there is room', async () => {
    const { hub, reader } = await setUp()
    const quick = await hub.open(openAll)
    quick.take()
    reader.hasRoom = false
    for (let n = 0; n < 500; n++) {
      await hub.apply('a', progress(n))
      if (n % 5 === 0) await hub.create({ id: `b-${n}` })
      await hub.clock.advance(25)
    }
    await hub.engine.remove('b-0')
    await hub.clock.advance(25)
    expect(reader.writes).toHaveLength(0)
    reader.drain()
    const messages = reader.takeMessages()
    expect(messages).toHaveLength(101)
    expect(messages.filter((message) => message.includes(' a '))).toEqual(['snapshot a e1-501'])
    expect(messages.at(-1)).toBe('end b-0 deleted')
    await hub.apply('a', progress(0))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch a e1-502'])
  })

  test('an owner who reads slowly is sent what was told before what waits for the next frame', async () => {
    const { hub, reader } = await setUp()
    reader.hasRoom = false
    await hub.apply('a', progress(1))
    await hub.apply('a', progress(2))
    // The first was told to others; the second, of the same job, was not yet.
    reader.drain()
    expect(reader.takeMessages()).toEqual(['snapshot a e1-2'])
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch a e1-3'])
  })

  test('an owner who reads slowly takes much news in pages, each when there is room', async () => {
    const { hub, reader } = await setUp()
    const large = 'x'.repeat(8_000)
    reader.hasRoom = false
    for (let n = 0; n < 100; n++) await hub.create({ id: `b-${n}`, message: large })
    await hub.clock.advance(25)
    const write = reader.write.bind(reader)
    reader.write = (bytes) => {
      write(bytes)
      reader.hasRoom = false
    }
    let pages = 0
    const told: string[] = []
    while (told.length < 100 && pages < 10) {
      reader.drain()
      await hub.clock.advance(0)
      expect(reader.writes).toHaveLength(1)
      expect(reader.writes[0]?.length).toBeLessThan(300_000)
      told.push(...reader.takeMessages())
      pages += 1
    }
    expect([pages, new Set(told).size]).toEqual([4, 100])
  })

  test('a frame of too much news is shared with nobody: each takes it in pages', async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b' })
    reader.take()
    for (let n = 0; n < 100; n++) await hub.create({ id: `c-${n}`, message: 'x'.repeat(8_000) })
    await hub.clock.advance(25)
    expect(reader.writes).toHaveLength(4)
    expect(reader.takeMessages()).toHaveLength(100)
  })
})

describe('OwnerChannel', () => {
  /** A channel with followers that stand at a place and have no room. */
  function channelOf(hub: TestHub) {
    const { engine, clock, metrics } = hub
    const random = { number: () => 0, bytes: (length: number) => new Uint8Array(length) }
    const channel = new OwnerChannel({ engine, clock, metrics, random, frameMs: 25 }, 'ada', undefined, () => {})
    const follower = () => {
      const stub = { place: channel.sent, receive: () => {}, disconnect: () => {} } as unknown as OwnerFollower
      channel.join(stub)
      return stub
    }
    return { channel, follower }
  }

  test('OwnerChannel forgets news that all followers have, and keeps what one lacks: the newest of each job', async () => {
    const hub = new TestHub()
    const { channel, follower } = channelOf(hub)
    const slow = follower()
    await channel.ready
    for (let n = 0; n < 50; n++) {
      await hub.create({ id: `${n}` })
      await hub.apply(`${n}`, progress(1))
      await hub.clock.advance(25)
    }
    await hub.clock.advance(25)
    expect(held(channel)).toBe(50)
    for (let n = 0; n < 500; n++) await hub.apply('0', progress(n))
    await hub.clock.advance(25)
    expect(held(channel)).toBe(50)
    slow.place = channel.sent
    channel.forget()
    expect(held(channel)).toBe(0)
  })

  test('OwnerChannel forgets what a follower kept when it leaves', async () => {
    const hub = new TestHub()
    const { channel, follower } = channelOf(hub)
    const slow = follower()
    await channel.ready
    await hub.create({ id: 'a' })
    await hub.clock.advance(25)
    const quick = follower()
    expect(held(channel)).toBe(1)
    channel.leave(slow)
    expect(held(channel)).toBe(0)
    channel.leave(quick)
    expect([hub.watches, hub.clock.pending]).toEqual([0, 0])
  })
})

describe('a stream of the children of a job', () => {
  const openChildren = (hub: Hub) => hub.openOwner('ada', 'parent', { sub: 'ada' })
  const child = (id: string): Partial<JobHeader> => ({ id, parentId: 'parent' })

  test('a stream of the children of a job tells of them and of no other job, nor of the parent', async () => {
    const hub = new TestHub()
    await hub.create({ id: 'parent' })
    await hub.create({ id: 'other', parentId: 'another' })
    await hub.create(child('a'))
    const reader: Reader = await hub.open(openChildren)
    expect(reader.takeMessages()).toEqual(['snapshot a e1-1'])
    await hub.create(child('b'))
    await hub.create({ id: 'c' })
    for (const id of ['a', 'b', 'c', 'parent', 'other']) await hub.apply(id, progress(1))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['snapshot b e1-1', 'patch a e1-2', 'patch b e1-2'])
    for (const id of ['a', 'c', 'other']) await hub.engine.remove(id)
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['end a deleted'])
    await hub.clock.advance(60_000)
    expect(reader.takeMessages()).toEqual(['ping', 'ping'])
  })

  test('a stream of the children of a job reads what bare wake-ups are about, and tells of no other', async () => {
    const hub = new TestHub()
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target, wake) => watch(target, ({ header: _header, events: _events, ...bare }) => wake(bare))
    const reader = await hub.open(openChildren)
    reader.take()
    await hub.create(child('a'))
    await hub.create({ id: 'b' })
    await hub.clock.advance(50)
    expect(reader.takeMessages()).toEqual(['snapshot a e1-1'])
    await hub.engine.remove('b')
    await hub.engine.remove('a')
    await hub.clock.advance(50)
    expect(reader.takeMessages()).toEqual(['end a deleted'])
  })
})
