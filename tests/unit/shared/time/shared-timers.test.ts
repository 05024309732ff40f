import { describe, expect, test } from 'bun:test'
import { shareTimers } from '../../../../shared/time/shared-timers.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

function create() {
  const clock = new VirtualClock()
  const shared = shareTimers(clock)
  const ran: string[] = []
  const at = (name: string, ms: number) => shared.setTimeout(() => ran.push(`${name} ${clock.monotonic()}`), ms)
  return { clock, shared, ran, at }
}

describe('shareTimers', () => {
  test('shareTimers runs timers together, late by less than 50 ms and never early', async () => {
    const { clock, ran, at } = create()
    await clock.advance(20)
    for (const [name, ms] of Object.entries({ a: 1, b: 30, c: 31, d: 32, e: 5_000 })) at(name, ms)
    expect(clock.pending).toBe(3)
    await clock.advance(10_000)
    // At a multiple of 50; a millisecond more than a multiple counts as one.
    expect(ran).toEqual(['a 50', 'b 50', 'c 50', 'd 100', 'e 5050'])
    expect(clock.pending).toBe(0)
  })

  test('shareTimers runs what waits for the next turn together, and at once', async () => {
    const { clock, ran, at } = create()
    await clock.advance(20)
    for (const name of ['a', 'b']) at(name, 0)
    expect(clock.pending).toBe(1)
    await clock.advance(0)
    at('c', 0)
    await clock.advance(0)
    expect(ran).toEqual(['a 20', 'b 20', 'c 20'])
  })

  test('shareTimers clears one timer of several, and the last with its timer', async () => {
    const { clock, shared, ran, at } = create()
    const [a, b] = [at('a', 100), at('b', 100)]
    shared.clearTimeout(a)
    shared.clearTimeout(a)
    shared.clearTimeout(undefined)
    expect(clock.pending).toBe(1)
    await clock.advance(100)
    expect(ran).toEqual(['b 100'])
    const c = at('c', 100)
    // A timer that has run is not the one that has its place now.
    shared.clearTimeout(b)
    expect(clock.pending).toBe(1)
    shared.clearTimeout(c)
    expect(clock.pending).toBe(0)
  })
})
