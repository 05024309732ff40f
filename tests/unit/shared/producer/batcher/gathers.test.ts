import { describe, expect, test } from 'bun:test'
import type { ProducerEvent } from '../../../../../shared/document/events.ts'
import { QUEUE_LIMIT, type Sent } from '../../../../../shared/producer/batcher.ts'
import { settle } from '../../../../virtual-clock.ts'
import { completed, gather, item, log, progress, receipt, running, taken } from './test-batcher.ts'

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
