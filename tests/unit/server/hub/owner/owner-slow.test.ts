import { describe, expect, test } from 'bun:test'
import { OwnerChannel } from '../../../../../server/hub/owner/owner-channel.ts'
import type { OwnerFollower } from '../../../../../server/hub/owner/owner-follower.ts'
import { MAX_UPDATES } from '../../../../../server/hub/owner/sent-updates.ts'
import { settle } from '../../../../virtual-clock.ts'
import { openAll, progress, setUpOwner as setUp, TestHub } from '../test-hub.ts'

/** What an owner's channel still holds, seen from outside: the headers that a follower at the very beginning would be sent. */
const held = (channel: OwnerChannel) => [...channel.sentAfter(0)].length

describe('a slow owner stream', () => {
  test('a slow owner stream gets the newest header of each changed job once, when there is room', async () => {
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
    await settle()
    const messages = reader.takeMessages()
    expect(messages).toHaveLength(101)
    expect(messages.filter((message) => message.includes(' a '))).toEqual(['snapshot a e1-501'])
    expect(messages.at(-1)).toBe('end b-0 deleted')
    await hub.apply('a', progress(0))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['patch a e1-502'])
  })

  test('a slow owner stream gets sent updates before those of the next frame', async () => {
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

  test('a slow owner stream gets many updates in pages, each when there is room', async () => {
    const { hub, reader } = await setUp()
    const large = 'x'.repeat(8_000)
    reader.hasRoom = false
    for (let n = 0; n < 100; n++) await hub.create({ id: `b-${n}`, message: large })
    await hub.clock.advance(25)
    reader.takesOneWrite = true
    let pages = 0
    const told: string[] = []
    while (told.length < 100 && pages < 20) {
      reader.drain()
      await hub.clock.advance(0)
      expect(reader.writes).toHaveLength(1)
      expect(reader.writes[0]?.length).toBeLessThan(80_000)
      told.push(...reader.takeMessages())
      pages += 1
    }
    expect([pages, new Set(told).size]).toEqual([13, 100])
  })

  test('a frame of too many updates is not shared: each follower sends it in pages', async () => {
    const { hub, reader } = await setUp()
    await hub.create({ id: 'b' })
    reader.take()
    for (let n = 0; n < 100; n++) await hub.create({ id: `c-${n}`, message: 'x'.repeat(8_000) })
    await hub.clock.advance(25)
    expect(reader.writes).toHaveLength(13)
    expect(reader.takeMessages()).toHaveLength(100)
  })
})

describe('a stalled owner stream', () => {
  test('a stalled owner stream gets what it lacks when it has room: current headers and removals', async () => {
    const { hub, reader } = await setUp()
    reader.hasRoom = false
    for (let n = 0; n < 200; n++) {
      await hub.create({ id: `b-${n}` })
      await hub.clock.advance(25)
    }
    await hub.apply('b-0', progress(1))
    await hub.engine.remove('b-1')
    reader.drain()
    await settle()
    const messages = reader.takeMessages()
    expect([messages.length, messages[0], messages.at(-1)]).toEqual([199, 'snapshot b-2 e1-1', 'snapshot b-0 e1-2'])
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['end b-1 deleted'])
  })

  test('a stalled owner stream gets nothing of a job that now has another owner', async () => {
    const { hub, reader } = await setUp()
    reader.hasRoom = false
    for (let n = 0; n < 100; n++) {
      await hub.create({ id: `b-${n}` })
      await hub.clock.advance(25)
    }
    await hub.engine.remove('b-0')
    await hub.create({ id: 'b-0', owner: 'eve', epoch: 'e2', title: 'secret' })
    await hub.clock.advance(25)
    reader.drain()
    await settle()
    expect(reader.take().join('')).not.toContain('secret')
  })
})

describe('OwnerChannel', () => {
  /** A channel with followers that stand at a position and have no room. */
  function channelOf(hub: TestHub) {
    const { engine, clock, metrics } = hub
    const random = { number: () => 0, bytes: (length: number) => new Uint8Array(length) }
    const channel = new OwnerChannel(
      { engine, clock, metrics, random, frameMs: 25, pingMs: 30_000 },
      'ada',
      undefined,
      () => {},
    )
    const follower = () => {
      const stub = { position: channel.sent, receive: () => {}, disconnect: () => {} } as unknown as OwnerFollower
      channel.join(stub)
      return stub
    }
    return { channel, follower }
  }

  test('OwnerChannel forgets updates that all followers have, and keeps the newest update of each job that one lacks', async () => {
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
    slow.position = channel.sent
    channel.forget()
    expect(held(channel)).toBe(0)
  })

  test('OwnerChannel keeps only a few headers for a stalled follower, and stubs of the other updates', async () => {
    const hub = new TestHub()
    const { channel, follower } = channelOf(hub)
    follower()
    await channel.ready
    for (let n = 0; n < 1_000; n++) {
      await hub.create({ id: `${n}`, message: 'x'.repeat(1_000) })
      if (n % 10 === 0) await hub.clock.advance(25)
    }
    await hub.clock.advance(25)
    const kept = [...channel.sentAfter(0)]
    expect([kept.length, kept.filter((entry) => 'header' in entry).length]).toEqual([1_000, 32])
  })

  test('OwnerChannel disconnects a follower that lacks more updates than are kept', async () => {
    const hub = new TestHub()
    const { channel, follower } = channelOf(hub)
    const disconnected: string[] = []
    Object.assign(follower(), { disconnect: () => disconnected.push('slow') })
    await channel.ready
    for (let n = 0; n < MAX_UPDATES; n++) await hub.create({ id: `${n}` })
    await hub.clock.advance(25)
    Object.assign(follower(), { disconnect: () => disconnected.push('quick') })
    expect(disconnected).toEqual([])
    await hub.create({ id: 'one more' })
    await hub.clock.advance(25)
    expect(disconnected).toEqual(['slow'])
  })

  test('OwnerChannel forgets the updates kept for a follower when it leaves', async () => {
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
