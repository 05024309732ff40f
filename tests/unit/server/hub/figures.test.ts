import { describe, expect, test } from 'bun:test'
import { settle } from '../../../virtual-clock.ts'
import { none, TestHub } from './test-hub.ts'

/** A hub, and figures that a test sets; each reading of them is counted. */
function setUp(options: ConstructorParameters<typeof TestHub>[0] = {}) {
  const hub = new TestHub(options)
  const figures = { events: 0, readings: 0, isAway: false }
  const read = async () => {
    figures.readings += 1
    if (figures.isAway) throw new Error('The store is away')
    return { at: hub.now, events: figures.events }
  }
  const open = (sub: string) => hub.open((hub) => hub.openFigures(read, { sub }))
  return { hub, figures, open }
}

const snapshot = (at: string, events: number) =>
  `event: snapshot\ndata: {"at":"2026-01-01T00:${at}.000Z","events":${events}}\n\n`

describe('a stream of figures', () => {
  test('a stream of figures has them at once, and again when they have changed, two seconds later at the earliest', async () => {
    const { hub, figures, open } = setUp()
    const reader = await open('root')
    expect(reader.take()).toEqual([expect.stringMatching(/^retry: \d+\n$/), snapshot('00:00', 0)])
    expect(reader.greeting?.after).toBe(snapshot('00:00', 0))
    figures.events = 1
    await hub.clock.advance(1_999)
    expect(reader.take()).toEqual([])
    figures.events = 2
    await hub.clock.advance(1)
    expect(reader.take()).toEqual([snapshot('00:02', 2)])
    await hub.clock.advance(8_000)
    expect([reader.take(), figures.readings]).toEqual([[], 6])
  })

  test('streams of figures share the readings and the bytes, and nothing is read once the last has closed', async () => {
    const { hub, figures, open } = setUp()
    const first = await open('root')
    const second = await open('olivia')
    expect(second.take().slice(1)).toEqual([snapshot('00:00', 0)])
    figures.events = 1
    await hub.clock.advance(2_000)
    expect(first.writes.at(-1)).toBe(second.writes.at(-1) as Uint8Array<ArrayBuffer>)
    expect(figures.readings).toBe(2)
    first.cancel()
    await hub.clock.advance(2_000)
    expect(figures.readings).toBe(3)
    second.cancel()
    expect([hub.hub.open, hub.clock.pending]).toEqual([none, 0])
    await hub.clock.advance(60_000)
    expect(figures.readings).toBe(3)
    expect((await open('root')).take().slice(1)).toEqual([snapshot('01:04', 1)])
  })

  test('a stream of figures whose reader is slow skips to the newest', async () => {
    const { hub, figures, open } = setUp()
    const reader = await open('root')
    reader.take()
    reader.hasRoom = false
    for (figures.events = 1; figures.events < 4; figures.events += 1) await hub.clock.advance(2_000)
    expect(reader.take()).toEqual([])
    reader.drain()
    expect(reader.take()).toEqual([snapshot('00:06', 3)])
  })

  test('a stream of figures is refused when they can not be read, and one that is open goes on when they can be again', async () => {
    const { hub, figures, open } = setUp()
    figures.isAway = true
    expect(await open('root').catch(String)).toBe('Error: The store is away')
    expect([hub.hub.open, hub.clock.pending]).toEqual([none, 0])
    figures.isAway = false
    const reader = await open('root')
    reader.take()
    figures.isAway = true
    await hub.clock.advance(2_000)
    expect([reader.take(), reader.isClosed, hub.counter('engine_errors')]).toEqual([[], false, 1])
    Object.assign(figures, { isAway: false, events: 7 })
    await hub.clock.advance(2_000)
    expect(reader.take()).toEqual([snapshot('00:04', 7)])
  })

  test('streams of figures share nothing where the runtime does not let them', async () => {
    const { hub, figures, open } = setUp({ subscriptionsPerStream: 5 })
    await open('root')
    await open('olivia')
    await hub.clock.advance(2_000)
    await settle()
    expect(figures.readings).toBe(4)
  })
})
