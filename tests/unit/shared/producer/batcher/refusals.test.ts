import { describe, expect, test } from 'bun:test'
import type { ProducerEvent } from '../../../../../shared/document/events.ts'
import type { Sent } from '../../../../../shared/producer/batcher.ts'
import { completed, gather, item, log, running, type Try, taken } from './test-batcher.ts'

describe('Batcher: what is not taken', () => {
  /** A proxy that refuses requests over a size, which the server never sees. */
  const proxy =
    (most: number) =>
    ({ events }: Try): Sent =>
      JSON.stringify(events).length > most ? { retry: true, tooLarge: true } : taken

  test('Batcher drops everything of a job that is refused, and says so', async () => {
    const { batcher, clock, tries, told } = gather(() => ({ refused: 'The job has ended.' }))
    batcher.add(log('one'))
    batcher.add(log('two'))
    await batcher.flush()
    batcher.add(log('three'))
    await clock.advance(60_000)
    expect(tries).toHaveLength(1)
    expect(batcher.dropped).toBe(3)
    expect(told).toEqual([['refused', 'The job has ended.'], 'idle'])
    expect(clock.pending).toBe(0)
  })

  test('Batcher finds the event that is wrong, and sends all the others, in order', async () => {
    const wrong = log('wrong')
    const { batcher, sent, tries, told } = gather(({ events }) =>
      events.some((event) => event.type === 'log' && event.message === 'wrong') ? { rejected: 'too long' } : taken,
    )
    const events = Array.from({ length: 100 }, (_, index) => (index === 37 ? wrong : log(`${index}`)))
    for (const event of events) batcher.add(event)
    await batcher.flush()
    const right = events.filter((event) => event !== wrong)
    const takenEvents = tries.filter(
      ({ events: some }) => !some.some((one) => 'message' in one && one.message === 'wrong'),
    )
    expect(takenEvents.flatMap(({ events: some }) => some)).toEqual(right)
    expect(sent().length).toBeGreaterThan(right.length)
    expect(new Set(tries.map(({ key }) => key)).size).toBe(tries.length)
    expect(tries.length).toBeLessThan(30)
    expect(batcher.dropped).toBe(1)
    expect(told).toContainEqual(['rejected', 'too long', wrong])
  })

  test('Batcher sends smaller batches when they are too large, and larger ones again later', async () => {
    const { batcher, tries } = gather(({ events }) => (events.length > 300 ? { rejected: 'too large' } : taken))
    for (let index = 0; index < 1_000; index++) batcher.add(log(`${index}`))
    await batcher.flush()
    const sizes = tries.map(({ events }) => events.length)
    expect(sizes.slice(0, 3)).toEqual([1_000, 500, 250])
    expect(sizes.filter((size) => size <= 300).reduce((sum, size) => sum + size, 0)).toBe(1_000)
    expect(batcher.dropped).toBe(0)
  })

  test('Batcher learns how many a server takes at once: of its batches hardly any is too large', async () => {
    const { batcher, tries } = gather(({ events }) => (events.length > 32 ? { rejected: 'too large' } : taken))
    for (let index = 0; index < 5_000; index++) batcher.add(log(`${index}`))
    await batcher.flush()
    const sizes = tries.map(({ events }) => events.length)
    expect(sizes.filter((size) => size <= 32).reduce((sum, size) => sum + size, 0)).toBe(5_000)
    expect(sizes.filter((size) => size > 32).length).toBeLessThan(sizes.length / 10)
  })

  test('Batcher forgets a size that was refused once one as large is taken', async () => {
    let most = 10
    const { batcher, tries } = gather(({ events }) => (events.length > most ? { rejected: 'too large' } : taken))
    for (let index = 0; index < 500; index++) batcher.add(log(`${index}`))
    await batcher.flush()
    most = 1_000
    const before = tries.length
    for (let index = 0; index < 4_000; index++) batcher.add(log(`${index}`))
    await batcher.flush()
    expect(Math.max(...tries.slice(before).map(({ events }) => events.length))).toBeGreaterThan(500)
    expect(tries.length - before).toBeLessThan(25)
  })

  test('Batcher asks ever more slowly when nothing is taken', async () => {
    const { batcher, clock, tries } = gather(() => ({ rejected: 'too many items' }))
    for (let index = 0; index < 1_000; index++) batcher.add(item(`${index}`))
    await batcher.flush()
    const first = tries.length
    expect(first).toBeLessThan(30)
    await clock.advance(60_000)
    expect(tries.length - first).toBeLessThan(30)
    expect(batcher.dropped).toBe(10 + tries.length - first)
    const second = tries.length
    await clock.advance(60_000)
    expect(tries.length - second).toBeWithin(12, 25)
  })

  test('Batcher takes an event for rejected that a proxy refuses three times, alone, as too large; the others flow', async () => {
    const { batcher, clock, tries, told } = gather(proxy(10_000))
    const large: ProducerEvent = { ...running, result: 'y'.repeat(12_000) }
    const before = Array.from({ length: 5 }, (_, index) => log(`before ${index}`))
    const after = Array.from({ length: 5 }, (_, index) => log(`after ${index}`))
    for (const event of [...before, large, ...after, completed]) batcher.add(event)
    await clock.advance(10_000)
    const accepted = tries.filter((attempt) => proxy(10_000)(attempt) === taken).flatMap(({ events }) => events)
    expect(accepted).toEqual([...before, { type: 'status', status: 'running' }, ...after, completed])
    expect(tries.filter(({ events }) => events[0] === undefined || events.length === 1).length).toBeLessThan(16)
    const alone = tries.filter(({ events }) => events.length === 1 && 'result' in (events[0] ?? {}))
    expect(alone.filter(({ events }) => events[0]?.type === 'status' && events[0].status === 'running')).toHaveLength(3)
    expect(told).toContainEqual(['rejected', 'A proxy before the server refuses 12050 bytes. Raise its limit.', large])
    expect([batcher.dropped, batcher.idle]).toEqual([0, true])
  })

  test('Batcher drops a log line that a proxy refuses as too large, and counts it', async () => {
    const { batcher, clock, sent } = gather(proxy(10_000))
    batcher.add(log('y'.repeat(12_000)))
    batcher.add(log('next'))
    await clock.advance(10_000)
    expect([sent().at(-1), batcher.dropped, batcher.idle]).toEqual([log('next'), 1, true])
  })

  test('Batcher loses nothing to a proxy that refuses even the smallest request as too large', async () => {
    let isAway = true
    const { batcher, clock, tries, sent } = gather(() => (isAway ? { retry: true, tooLarge: true } : taken))
    batcher.add(log('one'))
    batcher.add(log('two'))
    await clock.advance(60_000)
    expect(tries.length).toBeWithin(12, 30)
    isAway = false
    tries.length = 0
    await clock.advance(60_000)
    expect([sent(), batcher.dropped]).toEqual([[log('one'), log('two')], 0])
  })

  test('Batcher sends the bare status when what comes with it is not taken', async () => {
    const { batcher, tries, told } = gather(({ events }) =>
      'result' in (events[0] ?? {}) ? { rejected: 'too large' } : taken,
    )
    batcher.add(completed)
    await batcher.flush()
    expect(tries.map(({ events }) => events)).toEqual([[completed], [{ type: 'status', status: 'completed' }]])
    expect(told[0]).toEqual(['rejected', 'too large', completed])
    expect(batcher.dropped).toBe(0)
  })

  test('Batcher.close drops what waits and lets go of its timer', async () => {
    const { batcher, clock, tries } = gather(() => ({ retry: true }))
    batcher.add(log('one'))
    await batcher.flush()
    batcher.add(log('two'))
    batcher.close()
    batcher.add(log('three'))
    await clock.advance(60_000)
    expect(tries).toHaveLength(1)
    expect(batcher.dropped).toBe(3)
    expect(batcher.idle).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('Batcher.close while a batch is on its way ends with it', async () => {
    const answers: ((sent: Sent) => void)[] = []
    const { batcher, clock, told } = gather(() => new Promise<Sent>((resolve) => answers.push(resolve)))
    batcher.add(log('one'))
    const flushed = batcher.flush()
    batcher.close()
    answers[0]?.({ retry: true })
    await flushed
    expect(told).toEqual(['idle'])
    expect(clock.pending).toBe(0)
  })
})
