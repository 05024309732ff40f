import { describe, expect, test } from 'bun:test'
import { Pace } from '../../../../../server/services/kit/pace.ts'
import type { Clock } from '../../../../../shared/time/clock.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'

const { signal } = new AbortController()

/** When each of so many turns comes: milliseconds. */
function turnsOf(pace: Pace, clock: VirtualClock, count: number): number[] {
  const turns: number[] = []
  void (async () => {
    for (let turn = 0; turn < count; turn++) {
      await pace.take(100, signal)
      turns.push(clock.monotonic())
    }
  })()
  return turns
}

describe('Pace', () => {
  test('Pace.take keeps its schedule when timers are late', async () => {
    const clock = new VirtualClock()
    const late: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimeout: (run, ms) => clock.setTimeout(run, ms + 30),
      clearTimeout: (timer) => clock.clearTimeout(timer),
    }
    const turns = turnsOf(new Pace(1_000, late), clock, 10)
    await clock.advance(10_000)
    expect(turns).toEqual([130, 230, 330, 430, 530, 630, 730, 830, 930, 1_030])
  })

  test.each([-3_600_000, 3_600_000])('Pace.take does not notice that the wall clock is set by %d ms', async (ms) => {
    const clock = new VirtualClock()
    const turns = turnsOf(new Pace(1_000, clock), clock, 4)
    await clock.advance(150)
    clock.step(ms)
    await clock.advance(10_000)
    expect(turns).toEqual([100, 200, 300, 400])
  })

  test('Pace.take makes up for a second of a pause, and no more', async () => {
    const clock = new VirtualClock()
    const pace = new Pace(1_000, clock)
    turnsOf(pace, clock, 1)
    await clock.advance(60_000)
    const turns = turnsOf(pace, clock, 13)
    await clock.advance(60_000)
    expect(turns.filter((at) => at === 60_000)).toHaveLength(10)
    expect(turns.slice(10)).toEqual([60_100, 60_200, 60_300])
  })
})
