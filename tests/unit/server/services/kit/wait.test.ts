import { describe, expect, test } from 'bun:test'
import { noControl } from '../../../../../server/jobs/emitter.ts'
import { createCheckpoint, createThrottle } from '../../../../../server/services/kit/checkpoint.ts'
import { wait } from '../../../../../server/services/kit/wait.ts'
import type { Clock } from '../../../../../shared/time/clock.ts'
import { settle, VirtualClock } from '../../../../virtual-clock.ts'

describe('wait', () => {
  test('wait resolves when its time has come', async () => {
    const clock = new VirtualClock()
    let over = false
    const waiting = wait(100, clock, noControl.signal).then(() => {
      over = true
    })
    await clock.advance(99)
    expect(over).toBe(false)
    await clock.advance(1)
    await waiting
    expect(over).toBe(true)
  })

  test('wait rejects as soon as its signal aborts, and leaves no timer', async () => {
    const clock = new VirtualClock()
    const abort = new AbortController()
    const waiting = wait(100, clock, abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
    await expect(wait(100, clock, abort.signal)).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })
})

describe('createCheckpoint', () => {
  test('createCheckpoint lets others run when its turn is over, and not before', async () => {
    const clock = new VirtualClock()
    const checkpoint = createCheckpoint(noControl, clock)
    await checkpoint()
    expect(clock.pending).toBe(0)
    await clock.advance(10)
    let passed = false
    const waiting = checkpoint().then(() => {
      passed = true
    })
    await settle()
    expect([passed, clock.pending]).toEqual([false, 1])
    await clock.advance(0)
    await waiting
    expect(passed).toBe(true)
  })

  test('createCheckpoint lets others run all the same when the clock was set back', async () => {
    let now = 1_000_000
    let waits = 0
    const setBack: Clock = {
      now: () => now,
      monotonic: () => now,
      setTimeout: (run) => {
        waits += 1
        return setImmediate(run)
      },
      clearTimeout: () => {},
    }
    const checkpoint = createCheckpoint(noControl, setBack)
    now -= 3_600_000
    await checkpoint()
    await checkpoint()
    expect(waits).toBe(1)
  })

  test('createCheckpoint throws when the job is to end', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    const checkpoint = createCheckpoint({ signal, untilResumed: async () => {} }, new VirtualClock())
    await expect(checkpoint()).rejects.toThrow('enough')
  })
})

describe('createThrottle', () => {
  test('createThrottle says yes once each time its milliseconds have passed', async () => {
    const clock = new VirtualClock()
    const isNews = createThrottle(500, clock)
    expect(isNews()).toBe(false)
    await clock.advance(500)
    expect([isNews(), isNews()]).toEqual([true, false])
    await clock.advance(499)
    expect(isNews()).toBe(false)
  })
})
