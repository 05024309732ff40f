import { describe, expect, test } from 'bun:test'
import type { Hub } from '../../../../../server/hub/hub.ts'
import type { JobHeader } from '../../../../../shared/document/job.ts'
import { settle } from '../../../../virtual-clock.ts'
import { log, openAll, progress, type Reader, setUpOwner as setUp, TestHub } from '../test-hub.ts'

const ended = { type: 'status', status: 'completed' } as const

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

  test("a stream of an owner's jobs sends creations, changes and removals, and nothing of other owners", async () => {
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
    await settle()
    expect(reader.takeMessages()).toEqual(['end c deleted'])
    await hub.clock.advance(25)
    await hub.apply('a', ended)
    expect(reader.takeMessages()).toEqual(['patch a e1-3', 'end a completed'])
    expect(reader.isClosed).toBe(false)
  })

  test("a stream of an owner's jobs gathers changes within frameMs: one message per job, one write", async () => {
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

  test("a stream of an owner's jobs sends end with the reason expired after the retention", async () => {
    const { hub, reader } = await setUp()
    await hub.engine.apply('a', { events: [ended], at: hub.now, retentionSeconds: 10 })
    await hub.clock.advance(10_000)
    reader.take()
    await hub.engine.remove('a')
    await settle()
    expect(reader.takeMessages()).toEqual(['end a expired'])
  })

  test("a stream of an owner's jobs sends a snapshot of a job that was created again", async () => {
    const { hub, reader } = await setUp()
    await hub.engine.remove('a')
    await hub.clock.advance(25)
    await hub.create({ id: 'a', epoch: 'e2' })
    await hub.clock.advance(25)
    await hub.apply('a', progress(1))
    expect(reader.takeMessages()).toEqual(['end a deleted', 'snapshot a e2-1', 'patch a e2-2'])
  })

  test("a stream of an owner's jobs sends a removal and a new creation within a frame as the creation alone", async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b' })
    reader.take()
    await hub.engine.remove('a')
    await hub.create({ id: 'a', epoch: 'e2' })
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['snapshot a e2-1'])
  })
})

describe('listing during changes', () => {
  test('listing loses and repeats no change made meanwhile', async () => {
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

  test('listing finds a job whose wake-up was lost, and other streams get it as an update', async () => {
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

describe('a lost wake-up', () => {
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

  test('a lost wake-up is made up for at the ping: of changes, new jobs, ends and removals', async () => {
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

  test('a lost wake-up is found among more jobs than one page of the list', async () => {
    const { hub, reader } = await hardOfHearing('nothing')
    for (let n = 0; n < 250; n++) await hub.create({ id: `b-${n}` })
    await hub.apply('a', progress(1))
    await hub.clock.advance(30_025)
    expect(reader.takeMessages().filter((message) => message !== 'ping')).toHaveLength(251)
  })

  test('a lost wake-up is looked for by one check at a time, however slow the engine is', async () => {
    const { hub, reader } = await hardOfHearing('nothing')
    await hub.apply('a', progress(1))
    const list = hub.engine.list.bind(hub.engine)
    let checks = 0
    hub.engine.list = (query) => {
      checks += 1
      return list(query)
    }
    const answer = hub.hold('list')
    await hub.clock.advance(90_000)
    expect([checks, reader.takeMessages()]).toEqual([1, ['ping', 'ping', 'ping']])
    await answer()
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch a e1-2'])
    const mend = hub.fail('list')
    await hub.clock.advance(30_000)
    mend()
    await hub.clock.advance(30_000)
    expect(checks).toBe(2)
  })

  test('a wake-up without a header causes one read per frame', async () => {
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

  test('a wake-up whose read failed is retried at the ping', async () => {
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

describe('a stream of the children of a job', () => {
  const openChildren = (hub: Hub) => hub.openOwner('ada', 'parent', { sub: 'ada' })
  const child = (id: string): Partial<JobHeader> => ({ id, parentId: 'parent' })

  test('a stream of the children of a job sends them, and neither other jobs nor the parent', async () => {
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

  test('a stream of the children of a job reads the jobs of wake-ups without headers, and sends no others', async () => {
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
