import { describe, expect, test } from 'bun:test'
import { progress, setUpTwo as setUp } from '../test-hub.ts'

/** Opens a stream of a job from its beginning, and answers what it is told first. */
async function join(hub: Awaited<ReturnType<typeof setUp>>): Promise<string[]> {
  const reader = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
  return reader.takeMessages()
}

describe('a snapshot', () => {
  test('a snapshot is read and encoded once for followers that join together', async () => {
    const hub = await setUp()
    await hub.follow()
    expect(await join(hub)).toEqual(['snapshot e1-1'])
    const restore = hub.fail('changesSince')
    expect(await join(hub)).toEqual(['snapshot e1-1'])
    expect(await join(hub)).toEqual(['snapshot e1-1'])
    restore()
    const readers = [await hub.follow(), await hub.follow()]
    await hub.apply('job-1', progress(1))
    expect(readers.map((reader) => reader.takeMessages())).toEqual([['progress e1-2'], ['progress e1-2']])
  })

  test('a snapshot is followed by the frames since', async () => {
    const hub = await setUp()
    await hub.follow()
    await hub.follow()
    await hub.apply('job-1', progress(1))
    await hub.clock.advance(25)
    await hub.apply('job-1', progress(2))
    hub.fail('changesSince')
    expect(await join(hub)).toEqual(['snapshot e1-1', 'progress e1-2', 'progress e1-3'])
  })

  test('a snapshot is read again when not all frames since are kept', async () => {
    const hub = await setUp()
    await hub.follow()
    await hub.follow()
    for (let event = 1; event <= 9; event++) {
      await hub.apply('job-1', progress(event))
      await hub.clock.advance(25)
    }
    expect(await join(hub)).toEqual(['snapshot e1-10'])
  })

  test('a snapshot is read again after a second, because it may be stale', async () => {
    const hub = await setUp()
    await hub.follow()
    await hub.follow()
    await hub.clock.advance(999)
    const restore = hub.fail('changesSince')
    expect(await join(hub)).toEqual(['snapshot e1-1'])
    restore()
    await hub.clock.advance(1)
    const read = hub.hold('changesSince')
    expect(await join(hub)).toEqual([])
    await read()
  })

  test('a snapshot for a single follower is not kept', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    reader.cancel()
    const read = hub.hold('changesSince')
    expect(await join(hub)).toEqual([])
    await read()
  })

  test('a snapshot of a removed job is not shared with later followers', async () => {
    const hub = await setUp()
    await hub.follow()
    await hub.follow()
    await hub.engine.remove('job-1')
    await hub.create({ epoch: 'e2', title: 'Another' })
    expect(await join(hub)).toEqual(['snapshot e2-1'])
  })
})
