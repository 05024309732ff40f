import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ProducerEvent } from '../../../../../shared/document/events.ts'
import { QUEUE_LIMIT, type Sent } from '../../../../../shared/producer/batcher.ts'
import { settle } from '../../../../virtual-clock.ts'
import { completed, gather, item, log, running, type Try, taken } from './test-batcher.ts'

describe('Batcher: a server in need', () => {
  test('Batcher tries the same batch with the same key again, ever later, up to five seconds', async () => {
    const { batcher, clock, tries } = gather(() => ({ retry: true }), {
      random: { number: () => 0.999, bytes: (length) => new Uint8Array(length) },
    })
    batcher.add(log('one'))
    const times: number[] = []
    const begun = clock.now()
    for (let count = 1; count <= 9; count++) {
      while (tries.length < count) await clock.advance((clock.nextAt ?? 0) - clock.now())
      times.push(Math.round((clock.now() - begun) / 100) / 10)
    }
    const waits = times.slice(1).map((time, index) => Math.round(time - (times[index] ?? 0)))
    expect(waits).toEqual([1, 1, 2, 4, 5, 5, 5, 5].map((wait, index) => (index === 0 ? expect.any(Number) : wait)))
    expect(new Set(tries.map(({ key }) => key)).size).toBe(1)
    expect(tries.every(({ events }) => events.length === 1)).toBe(true)
  })

  test('Batcher does not try sooner because more comes, were it the last word', async () => {
    const { batcher, clock, tries } = gather((_, all) => (all.length <= 3 ? { retry: true } : taken))
    batcher.add(log('one'))
    await clock.advance(250)
    for (let count = 0; count < 3; count++) {
      const waited = clock.now()
      batcher.add(log('more'))
      batcher.add({ type: 'status', status: 'completed' })
      const before = tries.length
      await clock.advance(249)
      expect(tries).toHaveLength(before)
      await clock.advance((clock.nextAt ?? 0) - clock.now())
      expect(clock.now() - waited).toBeGreaterThanOrEqual(250 * 2 ** count)
    }
    await settle()
    expect(tries.slice(0, 4).map(({ events }) => events)).toEqual(Array.from({ length: 4 }, () => [log('one')]))
    expect(batcher.idle).toBe(true)
  })

  test('Batcher waits as long as the server asks for, and up to a quarter longer by chance', async () => {
    const waits = await Promise.all(
      [0, 0.5, 0.999].map(async (number) => {
        const { batcher, clock, tries } = gather(() => ({ retry: true, afterMs: 60_000 }), {
          random: { number: () => number, bytes: (length) => new Uint8Array(length) },
        })
        batcher.add(log('one'))
        await clock.advance(250)
        expect(tries).toHaveLength(1)
        return (clock.nextAt ?? 0) - clock.now()
      }),
    )
    expect(waits).toEqual([60_000, 67_500, 74_985])
  })

  test('Batcher.drain tries at least twice a second, from its first failure on, whatever wait is asked for', async () => {
    const { batcher, clock, tries } = gather(({ events }, all) =>
      events.length > 0 && all.length < 6 ? { retry: true, afterMs: 3_600_000 } : taken,
    )
    batcher.add(log('one'))
    const drained = batcher.drain()
    await settle()
    for (let count = 2; count <= 6; count++) {
      await clock.advance(500)
      expect(tries.length).toBeGreaterThanOrEqual(count)
    }
    await drained
    expect([batcher.idle, batcher.dropped, new Set(tries.map(({ key }) => key)).size]).toEqual([true, 0, 1])
  })

  test('Batcher.drain does not wait for the end of a wait that was asked for before', async () => {
    const { batcher, clock, tries } = gather((_, all) =>
      all.length === 1 ? { retry: true, afterMs: 3_600_000 } : taken,
    )
    batcher.add(log('one'))
    await clock.advance(250)
    await batcher.drain()
    expect([tries.length, clock.pending]).toEqual([2, 0])
  })

  test('Batcher takes a sender that throws, now or later, for one that failed', async () => {
    const throws = (_: Try, all: Try[]): Sent => {
      if (all.length === 1) throw new Error('no network')
      return taken
    }
    const { batcher, clock, tries } = gather(throws)
    batcher.add(log('one'))
    await batcher.flush()
    await clock.advance(500)
    expect(tries).toHaveLength(2)
    const now = gather(undefined, {
      send() {
        throw new Error('no network')
      },
    })
    now.batcher.add(log('one'))
    await now.batcher.flush()
    expect(now.batcher.idle).toBe(false)
  })

  test('Batcher keeps 10,000 events, then drops the oldest logs, then the oldest of the others, statuses last', async () => {
    const { batcher, sent } = gather()
    batcher.add(running)
    batcher.add(item('oldest'))
    batcher.add(log('oldest'))
    batcher.add(log('second'))
    for (let index = 4; index < QUEUE_LIMIT; index++) batcher.add(item(`${index}`))
    expect(batcher.dropped).toBe(0)
    batcher.add(item('x'))
    batcher.add(item('y'))
    batcher.add(completed)
    expect(batcher.dropped).toBe(3)
    await batcher.flush()
    const events = sent()
    expect(events).toHaveLength(QUEUE_LIMIT)
    expect(events.slice(0, 2)).toEqual([running, item('4')])
    expect(events.slice(-3)).toEqual([item('x'), item('y'), completed])
  })

  test('Batcher says once that its queue is full, when it begins to drop', async () => {
    const told: string[] = []
    const { batcher, clock } = gather(undefined, { onFull: () => told.push('full') })
    for (let index = 0; index < QUEUE_LIMIT; index++) batcher.add(log(`${index}`))
    expect(told).toEqual([])
    for (let index = 0; index < QUEUE_LIMIT; index++) batcher.add(log(`${index}`))
    await clock.advance(0)
    for (let index = 0; index < 2 * QUEUE_LIMIT; index++) batcher.add(log(`${index}`))
    expect([told, batcher.dropped]).toEqual([['full'], 2 * QUEUE_LIMIT])
  })

  test('Batcher drops the oldest status when there is nothing else', () => {
    const { batcher } = gather()
    for (let index = 0; index < QUEUE_LIMIT + 5; index++) batcher.add(running)
    expect(batcher.dropped).toBe(5)
  })
})

describe('Batcher: whatever the server answers', () => {
  test('Batcher gets every event through once, in order, with every try of a batch under one key', async () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom<ProducerEvent['type']>('log', 'item', 'status') }),
      fc.record({ advance: fc.nat({ max: 3_000 }) }),
    )
    const answers = fc.array(fc.constantFrom('taken', 'retry', 'lost', 'throw'), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), answers, async (steps, script) => {
        const applied: string[] = []
        const keys = new Set<string>()
        const { batcher, clock, tries } = gather(({ events, key }, all) => {
          const answer = script[all.length - 1] ?? 'taken'
          if (answer === 'throw') throw new Error('no network')
          if (answer === 'retry') return { retry: true }
          // As the server does: a repeated key applies nothing. Of a lost answer the client only knows that it failed.
          if (!keys.has(key)) applied.push(...events.map((event) => ('message' in event ? String(event.message) : '')))
          keys.add(key)
          return answer === 'lost' ? { retry: true } : taken
        })
        let count = 0
        for (const one of steps) {
          if ('advance' in one) await clock.advance(one.advance)
          else {
            const message = `${count++}`
            if (one.add === 'log') batcher.add({ type: 'log', message })
            else if (one.add === 'item') batcher.add({ type: 'item', id: 'a', message })
            else batcher.add({ type: 'status', status: 'running', message })
          }
        }
        for (let rounds = 0; rounds < 100 && !batcher.idle; rounds++) await clock.advance(30_000)
        expect(applied).toEqual(Array.from({ length: count }, (_, index) => `${index}`))
        const byKey = Map.groupBy(tries, ({ key }) => key)
        for (const same of byKey.values()) for (const { events } of same) expect(events).toEqual(same[0]?.events ?? [])
        expect(clock.pending).toBe(0)
      }),
    )
  })
})
