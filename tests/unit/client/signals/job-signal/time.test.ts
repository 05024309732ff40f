import { afterEach, describe, expect, test } from 'bun:test'
import { foldAll, instantOf, placed } from '../../../../arbitraries.ts'
import { FakeEnvironment } from '../../../../fake-environment.ts'
import { gather, open, running, stops, watch } from './test-signal.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

describe('createJobSignal: time', () => {
  test('createJobSignal tells the time by the Date of a poll, and more exactly by a ping, on a device that is fast', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:02:00.000Z' }))
    watch(signals.job)
    watch(signals.now)
    await gather(environment)
    environment.source.open()
    await environment.clock.advance(8_000)
    await environment.request.answer(200, running, { date: 'Thu, 01 Jan 2026 00:00:08 GMT' })
    environment.draw()
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:00:09.480Z'))
    environment.source.send('ping', { at: '2026-01-01T00:00:09.900Z', version: 1 })
    await environment.clock.advance(8_000)
    // To the second it says the same.
    environment.source.lose()
    await environment.clock.advance(3_000)
    environment.source.refuse()
    await environment.request.answer(200, running, { date: 'Thu, 01 Jan 2026 00:00:20 GMT' })
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(environment.clock.now() - 119_140)
  })

  test('createJobSignal tells the time by the clock of the server', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:00:00.000Z' }))
    watch(signals.now)
    watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.source.send('ping', { at: '2026-01-01T00:10:00.000Z', version: 1 })
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:10:00.980Z'))
    await environment.clock.advance(2_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:10:02.980Z'))
  })

  test('createJobSignal knows when it last heard of the server', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T01:00:00.000Z' }))
    watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    await environment.clock.advance(12_000)
    environment.source.lose()
    await environment.clock.advance(2_000)
    environment.source.lose()
    expect(signals.connection.value).toBe('reconnecting')
    expect(signals.lastSeen.value).toBe(Date.parse('2026-01-01T01:00:00.020Z'))
    expect(signals.now.value).toBe(Date.parse('2026-01-01T01:00:14.020Z'))
  })

  test('createJobSignal estimates the rate and, coarsely, the time left', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:00:00.000Z' }))
    const { seen } = watch(signals.timeLeft)
    watch(signals.rate)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, lastEventAt: instantOf(1) })
    for (let version = 2; version <= 40; version++) {
      await environment.clock.advance(1_000)
      const [event] = placed([{ type: 'progress', done: (version - 1) * 10, total: 1_000 }], version)
      environment.source.send('progress', event)
      environment.draw()
    }
    expect(signals.rate.value).toBeCloseTo(10)
    expect(seen).toEqual([undefined, 120, 60])
  })

  test('createJobSignal of a job in mid-run has rate and time left from the first message on', async () => {
    const done = (event: number) => ({ type: 'progress' as const, done: event * 10, total: 1_000 })
    const inMidRun = foldAll(running, placed(Array.from({ length: 40 }, (_, index) => done(index))))
    const { environment, signals } = open({}, new FakeEnvironment({ now: inMidRun.updatedAt }))
    watch(signals.timeLeft)
    watch(signals.rate)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', inMidRun)
    environment.draw()
    expect(signals.rate.value).toBeCloseTo(10)
    expect(signals.timeLeft.value).toBe(60)
  })

  test('createJobSignal lets no time pass between ticks, however much is drawn meanwhile', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.now)
    const heard = watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    const before = [seen.length, heard.seen.length]
    for (const event of placed([
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
    ])) {
      await environment.clock.advance(400)
      environment.source.send('progress', event)
      expect(environment.draw()).toBe(1)
    }
    expect([seen.length, heard.seen.length]).toEqual(before)
    await environment.clock.advance(200)
    expect([seen.length, heard.seen.length]).toEqual(before.map((count) => count + 1))
    expect(signals.job.value?.progress.done).toBe(2)
  })

  test('createJobSignal ticks once a second, and once a minute after the end', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.now)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, status: 'failed' })
    environment.source.send('end', { reason: 'failed' })
    await environment.clock.advance(1_000)
    const before = seen.length
    await environment.clock.advance(59_979)
    expect(seen).toHaveLength(before)
    await environment.clock.advance(1)
    expect(seen).toHaveLength(before + 1)
  })
})
