import { describe, expect, test } from 'bun:test'
import { History } from '../../../server/history.ts'
import { VirtualClock } from '../../virtual-clock.ts'

describe('History', () => {
  test('History takes two samples a minute: counters as rates per second, gauges as they are', async () => {
    const clock = new VirtualClock()
    let [events, streams] = [100, 0]
    const history = new History(clock, () => ({ counters: { events }, gauges: { streams } }))
    history.start()
    expect(history.samples).toEqual({ seconds: 30, until: undefined, series: {} })
    ;[events, streams] = [160, 7]
    await clock.advance(30_000)
    await clock.advance(30_000)
    const until = Date.parse('2026-01-01T00:01:00.000Z')
    expect(history.samples).toEqual({ seconds: 30, until, series: { events: [2, 0], streams: [7, 7] } })
    history.stop()
    expect(clock.pending).toBe(0)
  })

  test('History has an hour, and the newest of it', async () => {
    const clock = new VirtualClock()
    let streams = 0
    const history = new History(clock, () => ({ counters: {}, gauges: { streams: ++streams } }))
    history.start()
    const before = streams
    await clock.advance(3_600_000 + 60_000)
    const { streams: samples = [] } = history.samples.series
    expect([samples.length, samples[0], samples.at(-1)]).toEqual([120, before + 3, before + 122])
    history.stop()
  })
})
