import { describe, expect, test } from 'bun:test'
import { SETTLE_MS, TrustedClock } from '../../../../server/jobs/trusted-clock.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

const HOURS = 7_200_000

describe('TrustedClock', () => {
  test('now follows the wall clock while it agrees with the monotonic one, and through small corrections', async () => {
    const wall = new VirtualClock()
    const clock = new TrustedClock(wall)
    for (const drift of [0, 3, -5, 1_000, -1_000]) {
      await wall.advance(10_000)
      wall.step(drift)
      expect(clock.now()).toBe(wall.now())
    }
    expect(clock.steps).toEqual([])
  })

  test.each([HOURS, -HOURS])('now ignores a wall clock that is %p ms off for a short time', async (step) => {
    const wall = new VirtualClock(0)
    const clock = new TrustedClock(wall)
    await wall.advance(10_000)
    expect(clock.now()).toBe(10_000)
    wall.step(step)
    for (let second = 11; second <= 16; second++) {
      await wall.advance(1_000)
      expect(clock.now()).toBe(second * 1_000)
    }
    wall.step(-step)
    await wall.advance(SETTLE_MS)
    expect([clock.now(), clock.since, clock.steps]).toEqual([16_000 + SETTLE_MS, 0, []])
  })

  test.each([HOURS, -HOURS])(
    'now adopts the right time soon after a start with a clock that is %p ms off',
    async (step) => {
      const wall = new VirtualClock(0)
      wall.step(step)
      const clock = new TrustedClock(wall, -5_000)
      await wall.advance(2_000)
      wall.step(-step)
      expect(clock.now()).toBe(step + 2_000)
      await wall.advance(9_999)
      expect([clock.now(), clock.isSettled]).toEqual([step + 11_999, false])
      await wall.advance(1)
      expect([clock.now(), clock.since]).toEqual([12_000, 12_000])
      await wall.advance(SETTLE_MS - 10_001)
      expect([clock.now(), clock.isSettled]).toEqual([SETTLE_MS + 1_999, false])
      await wall.advance(1)
      expect([clock.now(), clock.isSettled]).toEqual([SETTLE_MS + 2_000, true])
    },
  )

  test('now ignores a new time that was kept for less long than the one before', async () => {
    const wall = new VirtualClock(0)
    const clock = new TrustedClock(wall, HOURS)
    await wall.advance(60_000)
    wall.step(HOURS)
    clock.now()
    await wall.advance(59_999)
    expect(clock.now()).toBe(119_999)
    wall.step(-HOURS)
    await wall.advance(SETTLE_MS)
    expect([clock.now(), clock.steps]).toEqual([119_999 + SETTLE_MS, []])
  })

  test('isSettled is true from the start when the store was written shortly before, or nothing is known', () => {
    const settled = (lastWrittenAt?: number) => new TrustedClock(new VirtualClock(HOURS), lastWrittenAt).isSettled
    expect([undefined, HOURS, HOURS + 999, HOURS - 119_999].map(settled)).toEqual([true, true, true, true])
    expect([0, HOURS - 120_000, HOURS + 1_000].map(settled)).toEqual([false, false, false])
  })

  test('now adopts a time that the wall clock has kept, and records the step', async () => {
    const wall = new VirtualClock(0)
    const clock = new TrustedClock(wall)
    wall.step(HOURS)
    expect(clock.now()).toBe(0)
    await wall.advance(SETTLE_MS - 1)
    expect(clock.now()).toBe(SETTLE_MS - 1)
    await wall.advance(1)
    expect(clock.now()).toBe(HOURS + SETTLE_MS)
    const forward = { at: HOURS + SETTLE_MS, by: HOURS }
    expect([clock.since, clock.steps]).toEqual([HOURS + SETTLE_MS, [forward]])
    wall.step(-HOURS)
    clock.now()
    await wall.advance(SETTLE_MS)
    expect([clock.now(), clock.since]).toEqual([2 * SETTLE_MS, 2 * SETTLE_MS])
    expect(clock.steps).toEqual([forward, { at: 2 * SETTLE_MS, by: -HOURS }])
  })

  test('steps are bounded, however often the clock is set, and keep their sum', async () => {
    const wall = new VirtualClock(0)
    const clock = new TrustedClock(wall)
    for (let times = 0; times < 100; times++) {
      wall.step(HOURS)
      clock.now()
      await wall.advance(SETTLE_MS)
      clock.now()
    }
    expect(clock.steps).toHaveLength(32)
    expect(clock.steps.reduce((sum, { by }) => sum + by, 0)).toBe(100 * HOURS)
    expect(clock.steps.at(-1)).toEqual({ at: clock.since, by: HOURS })
    const [merged, next] = clock.steps
    // Covers all times until the last of the merged steps, and none of the next.
    expect((merged?.at ?? 0) - (merged?.by ?? 0)).toBe((next?.at ?? 0) - (next?.by ?? 0) - SETTLE_MS - HOURS)
  })

  test('now ignores a clock that is set again and again', async () => {
    const wall = new VirtualClock(0)
    const clock = new TrustedClock(wall)
    for (let times = 1; times <= 100; times++) {
      wall.step(HOURS)
      clock.now()
      await wall.advance(SETTLE_MS / 2)
      expect(clock.now()).toBe((times * SETTLE_MS) / 2)
    }
  })

  test('setTimeout and clearTimeout are those of the inner clock', async () => {
    const wall = new VirtualClock()
    const clock = new TrustedClock(wall)
    let ran = 0
    clock.setTimeout(() => ran++, 10)
    clock.clearTimeout(clock.setTimeout(() => ran++, 10))
    wall.step(HOURS)
    await wall.advance(10)
    expect(ran).toBe(1)
  })
})
