import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ProducerEvent } from '../../../../shared/document/events.ts'
import { Batcher, type BatcherOptions, QUEUE_LIMIT, type Sent } from '../../../../shared/producer/batcher.ts'
import type { Receipt } from '../../../../shared/wire/api.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

const receipt: Receipt = { version: 2, cancelRequested: false, pauseRequested: false, watched: true, flushMs: 250 }
const taken: Sent = { receipt }

interface Try {
  events: ProducerEvent[]
  key: string
}

/** A batcher whose sender a test plays: by default it takes everything. */
function gather(
  answer: (attempt: Try, tries: Try[]) => Sent | Promise<Sent> = () => taken,
  options: Partial<BatcherOptions> = {},
) {
  const clock = new VirtualClock()
  const tries: Try[] = []
  const told: unknown[] = []
  const batcher = new Batcher({
    clock,
    random: new SeededRandom(1),
    async send(events, key) {
      const attempt = { events: structuredClone(events), key }
      tries.push(attempt)
      return answer(attempt, tries)
    },
    onReceipt: (one) => told.push(one),
    onRejected: (reason, event) => told.push(['rejected', reason, event]),
    onClosed: (refusal) => refusal && told.push(['refused', refusal]),
    onIdle: () => told.push('idle'),
    ...options,
  })
  return { clock, tries, told, batcher, sent: () => tries.flatMap(({ events }) => events) }
}

const progress = (done: number): ProducerEvent => ({ type: 'progress', done })
const log = (message: string): ProducerEvent => ({ type: 'log', message })
const item = (id: string): ProducerEvent => ({ type: 'item', id, status: 'running' })
const running: ProducerEvent = { type: 'status', status: 'running' }
const completed: ProducerEvent = { type: 'status', status: 'completed', result: 42 }

describe('Batcher: gathering', () => {
  test('Batcher sends what came within a quarter of a second together, in order', async () => {
    const { batcher, clock, tries, told } = gather()
    batcher.add(running)
    await clock.advance(200)
    batcher.add(item('a'))
    batcher.add(log('one'))
    await clock.advance(49)
    expect(tries).toEqual([])
    await clock.advance(1)
    expect(tries).toEqual([{ events: [running, item('a'), log('one')], key: expect.stringMatching(/^[0-9a-v]{20}$/) }])
    expect(told).toEqual([receipt, 'idle'])
    expect(batcher.idle).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('Batcher gathers for as long as the last receipt asked for', async () => {
    const { batcher, clock, tries } = gather(() => ({ receipt: { ...receipt, flushMs: 5_000 } }))
    batcher.add(log('one'))
    await clock.advance(250)
    batcher.add(log('two'))
    await clock.advance(4_999)
    expect(tries).toHaveLength(1)
    await clock.advance(1)
    expect(tries).toHaveLength(2)
  })

  test('Batcher sends the last word at once, with all that waits before it', async () => {
    const { batcher, tries, clock } = gather()
    batcher.add(log('one'))
    batcher.add(completed)
    await clock.advance(0)
    expect(tries.map(({ events }) => events)).toEqual([[log('one'), completed]])
  })

  test('Batcher gathers what comes while a batch is on its way', async () => {
    const answers: ((sent: Sent) => void)[] = []
    const { batcher, clock, tries } = gather(() => new Promise<Sent>((resolve) => answers.push(resolve)))
    batcher.add(log('one'))
    await clock.advance(250)
    batcher.add(log('two'))
    await clock.advance(10_000)
    batcher.add(log('three'))
    expect(tries).toHaveLength(1)
    answers[0]?.(taken)
    await clock.advance(249)
    expect(tries).toHaveLength(1)
    await clock.advance(1)
    expect(tries.map(({ events }) => events)).toEqual([[log('one')], [log('two'), log('three')]])
  })

  test('Batcher sends a last word that came while a batch was on its way right after it', async () => {
    const answers: ((sent: Sent) => void)[] = []
    const { batcher, clock, tries } = gather(() => new Promise<Sent>((resolve) => answers.push(resolve)))
    batcher.add(log('one'))
    await clock.advance(250)
    batcher.add(completed)
    answers[0]?.(taken)
    await settle()
    expect(tries.map(({ events }) => events)).toEqual([[log('one')], [completed]])
  })

  test('Batcher sends at most a thousand events together', async () => {
    const { batcher, tries } = gather()
    for (let index = 0; index < 2_500; index++) batcher.add(log(`${index}`))
    await batcher.flush()
    expect(tries.map(({ events }) => events.length)).toEqual([1_000, 1_000, 500])
    expect(tries.flatMap(({ events }) => events)).toEqual(Array.from({ length: 2_500 }, (_, index) => log(`${index}`)))
    expect(new Set(tries.map(({ key }) => key)).size).toBe(3)
  })

  test('Batcher sends a full batch at once, so that no event of fast work is lost while nobody watches', async () => {
    const { batcher, clock, tries } = gather(() => ({ receipt: { ...receipt, flushMs: 5_000 } }))
    batcher.add(item('first'))
    await clock.advance(250)
    for (let i = 0; i < 3 * QUEUE_LIMIT; i++) {
      batcher.add(item(`${i}`))
      if (i % 2_000 === 0) await clock.advance(0)
    }
    await clock.advance(0)
    expect([batcher.dropped, tries.flatMap(({ events }) => events).length]).toEqual([0, 3 * QUEUE_LIMIT + 1])
  })

  test('Batcher sends events as they were when they were added', async () => {
    const { batcher, sent } = gather()
    const event = { type: 'progress' as const, done: 1 }
    batcher.add(event)
    batcher.add({ type: 'progress', done: 2 })
    expect(event.done).toBe(1)
    event.done = 3
    await batcher.flush()
    expect(sent()).toEqual([progress(2)])
  })
})

describe('Batcher: progress', () => {
  test('Batcher keeps the newest progress alone', async () => {
    const { batcher, sent } = gather()
    for (let done = 0; done < 50_000; done++) batcher.add(progress(done))
    await batcher.flush()
    expect(sent()).toEqual([progress(49_999)])
    expect(batcher.dropped).toBe(0)
  })

  test('Batcher keeps of an older progress what the newer one leaves out', async () => {
    const { batcher, sent } = gather()
    batcher.add({ type: 'progress', done: 1, total: 10, unit: 'files', message: 'first' })
    batcher.add({ type: 'progress', done: 2, message: null })
    batcher.add(Object.assign(progress(3), { total: undefined }))
    await batcher.flush()
    expect(sent()).toEqual([{ type: 'progress', done: 3, total: 10, unit: 'files', message: null }])
  })

  test('Batcher never moves a progress across a status', async () => {
    const { batcher, sent } = gather()
    const paused: ProducerEvent = { type: 'status', status: 'paused' }
    for (const event of [progress(1), item('a'), progress(2), paused, progress(3), item('b'), progress(4)])
      batcher.add(event)
    await batcher.flush()
    expect(sent()).toEqual([progress(2), item('a'), paused, progress(4), item('b')])
  })

  test('Batcher does not change a progress that is on its way', async () => {
    const answers: ((sent: Sent) => void)[] = []
    const { batcher, tries } = gather(() => new Promise<Sent>((resolve) => answers.push(resolve)))
    batcher.add(progress(1))
    const first = batcher.flush()
    batcher.add(progress(2))
    answers[0]?.({ retry: true })
    await first
    const second = batcher.flush()
    await settle()
    answers[1]?.(taken)
    await settle()
    answers[2]?.(taken)
    await second
    expect(tries.map(({ events }) => events)).toEqual([[progress(1)], [progress(1)], [progress(2)]])
  })
})

describe('Batcher: flush', () => {
  test('Batcher.flush resolves once everything that was added before it is sent', async () => {
    const answers: ((sent: Sent) => void)[] = []
    const { batcher, clock, tries } = gather(() => new Promise<Sent>((resolve) => answers.push(resolve)))
    batcher.add(log('one'))
    await clock.advance(250)
    batcher.add(log('two'))
    let done = false
    const flushed = batcher.flush().then(() => {
      done = true
    })
    answers[0]?.(taken)
    await settle()
    expect(done).toBe(false)
    expect(tries.map(({ events }) => events)).toEqual([[log('one')], [log('two')]])
    answers[1]?.(taken)
    await flushed
    expect(batcher.idle).toBe(true)
  })

  test('Batcher.flush with nothing to send resolves', async () => {
    const { batcher, tries } = gather()
    await batcher.flush()
    batcher.add(log('one'))
    await batcher.flush()
    await batcher.flush()
    expect(tries).toHaveLength(1)
  })

  test('Batcher.flush resolves when the server can not be reached, and leaves the rest to later', async () => {
    const { batcher, clock, tries } = gather((_, all) => (all.length === 1 ? { retry: true } : taken))
    batcher.add(log('one'))
    await batcher.flush()
    expect(batcher.idle).toBe(false)
    await clock.advance(500)
    expect(tries).toHaveLength(2)
    expect(batcher.idle).toBe(true)
  })
})

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

describe('Batcher: what is not taken', () => {
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

  /** A proxy that refuses requests over a size, which the server never sees. */
  const proxy =
    (most: number) =>
    ({ events }: Try): Sent =>
      JSON.stringify(events).length > most ? { retry: true, tooLarge: true } : taken

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
