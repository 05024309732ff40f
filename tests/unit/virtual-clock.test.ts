import { describe, expect, test } from 'bun:test'
import { SeededRandom } from '../seeded-random.ts'
import { settle, VirtualClock } from '../virtual-clock.ts'

describe('VirtualClock', () => {
  test('advance runs timers in the order of their moments, each at its own', async () => {
    const clock = new VirtualClock(1_000)
    const ran: [string, number][] = []
    const note = (name: string) => () => ran.push([name, clock.now()])
    clock.setTimeout(note('late'), 30)
    clock.setTimeout(note('first'), 10)
    clock.setTimeout(note('second'), 10)
    clock.setTimeout(note('never'), 31)
    await clock.advance(30)
    expect(ran).toEqual([
      ['first', 1_010],
      ['second', 1_010],
      ['late', 1_030],
    ])
    expect([clock.now(), clock.pending, clock.nextAt]).toEqual([1_030, 1, 1_031])
  })

  test('advance runs what a timer sets on its way', async () => {
    const clock = new VirtualClock(0)
    const ticks: number[] = []
    const tick = () => {
      ticks.push(clock.now())
      clock.setTimeout(tick, 10)
    }
    clock.setTimeout(tick, 10)
    await clock.advance(35)
    expect(ticks).toEqual([10, 20, 30])
    expect(clock.nextAt).toBe(40)
  })

  test('advance lets promises settle between two timers', async () => {
    const clock = new VirtualClock(0)
    const order: string[] = []
    clock.setTimeout(() => {
      Promise.resolve()
        .then(() => undefined)
        .then(() => order.push('promise'))
    }, 1)
    clock.setTimeout(() => order.push('timer'), 1)
    await clock.advance(1)
    expect(order).toEqual(['promise', 'timer'])
  })

  test('advance lets a promise set a timer before time passes', async () => {
    const clock = new VirtualClock(0)
    let ranAt = -1
    Promise.resolve().then(() =>
      clock.setTimeout(() => {
        ranAt = clock.now()
      }, 5),
    )
    await clock.advance(10)
    expect(ranAt).toBe(5)
  })

  test('clearTimeout keeps a timer from running, and a second time changes nothing', async () => {
    const clock = new VirtualClock(0)
    let ran = false
    const timer = clock.setTimeout(() => {
      ran = true
    }, 1)
    clock.clearTimeout(timer)
    clock.clearTimeout(timer)
    await clock.advance(2)
    expect([ran, clock.pending]).toEqual([false, 0])
  })

  test('setTimeout refuses waits that a runtime would cut short', () => {
    const clock = new VirtualClock(0)
    expect(() => clock.setTimeout(() => {}, 2 ** 31)).toThrow(RangeError)
    expect(() => clock.setTimeout(() => {}, Number.NaN)).toThrow(RangeError)
    clock.setTimeout(() => {}, 2 ** 31 - 1)
    expect(clock.nextAt).toBe(2 ** 31 - 1)
  })

  test('settle waits for chains of promises of any length', async () => {
    let steps = 0
    const chain = async () => {
      for (let step = 0; step < 1_000; step++) {
        await undefined
        steps += 1
      }
    }
    void chain()
    await settle()
    expect(steps).toBe(1_000)
  })
})

describe('SeededRandom', () => {
  test('number repeats with the seed and differs with another', () => {
    const draw = (seed: number) => {
      const random = new SeededRandom(seed)
      return Array.from({ length: 5 }, () => random.number())
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  test('number stays in [0, 1) and spreads over it', () => {
    const random = new SeededRandom(1)
    const tenths = new Array<number>(10).fill(0)
    for (let draws = 0; draws < 10_000; draws++) {
      const drawn = random.number()
      expect(drawn >= 0 && drawn < 1).toBe(true)
      const tenth = Math.floor(drawn * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    expect(Math.min(...tenths)).toBeGreaterThan(850)
  })
})
