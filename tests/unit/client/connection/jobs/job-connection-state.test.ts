import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type ConnectionEvent,
  type ConnectionState,
  transition,
} from '../../../../../client/connection/connection-state.ts'
import { jobTransition } from '../../../../../client/connection/jobs/job-connection-state.ts'
import { RETRY_AFTER_MAX_MS } from '../../../../../client/connection/timeouts.ts'
import type { EndReason } from '../../../../../shared/wire/messages.ts'
import { type Began, closes, live, Machine, opens, polling, polls, waits, watches } from '../machine.ts'

describe('jobTransition: the way to live', () => {
  test('jobTransition is live again once a stream that goes on where it was is open, with time until the first ping', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.state.status).toBe('reconnecting')
    expect(machine.on({ type: 'opened' })).toEqual(watches(40_000))
    expect(machine.state.status).toBe('live')
    expect(machine.on({ type: 'timer' }, 40_000)).toEqual(polls('e-7'))
  })

  test('jobTransition keeps the cursor through a message that has none', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'message' })
    expect(machine.state.cursor).toBe('e-7')
  })
})

describe('jobTransition: the watch over silence', () => {
  test('jobTransition opens again after 75 seconds of silence, from where it was', () => {
    const machine = live(jobTransition)
    expect(machine.on({ type: 'timer' }, 75_000)).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('reconnecting')
    machine.on({ type: 'message', cursor: 'e-8' })
    expect(machine.state.status).toBe('live')
  })
})

describe('jobTransition: the end of a stream', () => {
  test.each<[EndReason | undefined, ConnectionState['status']]>([
    ['completed', 'ended'],
    ['failed', 'ended'],
    ['cancelled', 'ended'],
    ['expired', 'ended'],
    [undefined, 'ended'],
    ['deleted', 'not-found'],
    ['token-expired', 'expired'],
  ])('jobTransition stops for good at the end by %p: %p', (reason, status) => {
    const machine = live(jobTransition)
    expect(machine.on({ type: 'ended', reason })).toEqual(closes)
    expect(machine.state.status).toBe(status)
    for (const type of ['timer', 'closed', 'online', 'visible', 'gap', 'opened', 'bytes'] as const) {
      expect(machine.on({ type })).toEqual([])
    }
    expect(machine.on({ type: 'failed' })).toEqual([])
    expect(machine.on({ type: 'offline' })).toEqual([])
    expect(machine.state.status).toBe(status)
  })

  test('jobTransition does not open the stream of an ended job again when it is started again', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'ended', reason: 'completed' })
    expect(machine.on({ type: 'stop' })).toEqual([])
    expect(machine.on({ type: 'start' })).toEqual([])
    expect(machine.state.status).toBe('ended')
  })

  test('jobTransition tries anew when it is started again after it gave up', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'ended', reason: 'deleted' })
    machine.on({ type: 'stop' })
    expect(machine.on({ type: 'start' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('connecting')
  })
})

describe('jobTransition: backing off', () => {
  test('jobTransition honours the retry of the server, within reason', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'retry', ms: 4_000 })
    expect(machine.on({ type: 'failed' })).toEqual(waits(3_000))
    machine.on({ type: 'retry', ms: 0 })
    expect(machine.state.retryMs).toBe(100)
    machine.on({ type: 'retry', ms: 9e9 })
    expect(machine.state.retryMs).toBe(30_000)
  })
})

describe('jobTransition: refusals', () => {
  test('jobTransition believes that a job is not there when it is told so twice', () => {
    const machine = new Machine(jobTransition)
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'timer' })).toEqual(opens())
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(closes)
    expect(machine.state.status).toBe('not-found')
  })

  test('jobTransition forgets a 404 in passing', () => {
    const machine = new Machine(jobTransition)
    machine.on({ type: 'start' })
    machine.on({ type: 'failed', status: 404 })
    machine.on({ type: 'timer' })
    machine.on({ type: 'opened' })
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
  })

  test.each([401, 403])('jobTransition believes %p the third time in a row', (status) => {
    const machine = live(jobTransition)
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(waits(1_500))
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(waits(3_000))
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(closes)
    expect(machine.state.status).toBe('expired')
  })

  test('jobTransition polls when an EventSource was refused, to learn why', () => {
    const machine = new Machine(jobTransition)
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status: 0 })).toEqual(polls())
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
    machine.on({ type: 'timer' })
    machine.on({ type: 'failed', status: 0 })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(closes)
    expect(machine.state.status).toBe('not-found')
  })

  test('jobTransition ends when a poll tells that the job has', () => {
    const machine = new Machine(jobTransition)
    machine.on({ type: 'start' })
    machine.on({ type: 'failed', status: 0 })
    expect(machine.on({ type: 'ended', reason: 'completed' })).toEqual(closes)
    expect(machine.state.status).toBe('ended')
  })
})

describe('jobTransition: mute streams', () => {
  test('jobTransition takes the next page of a poll at once', () => {
    const machine = polling(jobTransition)
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'polled', cursor: 'e-8', more: true })).toEqual(polls('e-8'))
  })
})

describe('jobTransition: gaps', () => {
  test('jobTransition goes on from where the document is, at once', () => {
    const machine = live(jobTransition)
    expect(machine.on({ type: 'gap' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('live')
  })

  test('jobTransition begins anew, and with a wait, when the next stream leaves a gap too', () => {
    const machine = live(jobTransition)
    machine.on({ type: 'gap' })
    machine.on({ type: 'bytes' })
    expect(machine.on({ type: 'gap' })).toEqual(waits(3_000))
    expect(machine.on({ type: 'timer' })).toEqual(opens())
  })

  test('jobTransition begins anew when a poll leaves a gap', () => {
    const machine = polling(jobTransition)
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'gap' })).toEqual(waits(1_500))
    expect(machine.on({ type: 'timer' })).toEqual(polls())
  })
})

describe('jobTransition: the network and the page', () => {
  test('jobTransition stops, lets go of everything, and starts where it was', () => {
    const machine = live(jobTransition)
    expect(machine.on({ type: 'stop' })).toEqual(closes)
    expect(machine.on({ type: 'stop' })).toEqual([])
    expect(machine.on({ type: 'start' })).toEqual(opens('e-7'))
  })
})

describe.each([
  ['transition', transition],
  ['jobTransition', jobTransition],
])('%s: whatever happens', (name, policy) => {
  const cursor = fc.constantFrom(undefined, 'e-1', 'e-2')
  const retryAfterMs = fc.option(fc.nat({ max: RETRY_AFTER_MAX_MS }), { nil: undefined })
  const anyEvent: fc.Arbitrary<ConnectionEvent> = fc.oneof(
    fc.constantFrom<ConnectionEvent>(
      { type: 'start' },
      { type: 'stop' },
      { type: 'opened' },
      { type: 'bytes' },
      { type: 'gap' },
      { type: 'closed' },
      { type: 'online' },
      { type: 'offline' },
      { type: 'visible' },
    ),
    fc.constant<ConnectionEvent>({ type: 'timer' }),
    fc.record({ type: fc.constant('message' as const), cursor }),
    fc.record({ type: fc.constant('retry' as const), ms: fc.nat() }),
    fc.record({ type: fc.constant('polled' as const), cursor, more: fc.boolean(), retryAfterMs }),
    fc.record({
      type: fc.constant('failed' as const),
      status: fc.constantFrom(undefined, 0, 200, 400, 401, 404, 429, 500, 503),
      retryAfterMs,
    }),
    fc.record({
      type: fc.constant('ended' as const),
      reason: fc.constantFrom<EndReason>('completed', 'token-expired'),
    }),
  )
  const run = fc.array(fc.tuple(anyEvent, fc.nat({ max: 100_000 }), fc.double({ min: 0, max: 0.999, noNaN: true })), {
    maxLength: 60,
    size: 'max',
  })

  /** What the I/O would hold: a stream or a poll, and a timer. */
  class Held {
    underWay: 'stream' | 'poll' | undefined
    timer = false

    obey([phase, ms]: Began): void {
      if (phase === undefined) return
      if (ms !== undefined && !(ms > 0 && ms <= 400_000)) throw new Error(`It waits for ${ms} ms`)
      this.timer = ms !== undefined
      if (phase === 'stream' && this.underWay !== 'stream') throw new Error('A stream goes on that is not there')
      this.underWay = phase === 'open' || phase === 'stream' ? 'stream' : phase === 'poll' ? 'poll' : undefined
    }
  }

  test(`${name} never has two streams or polls at once, and waits for no timer for ever`, () => {
    fc.assert(
      fc.property(run, (events) => {
        const machine = new Machine(policy)
        const held = new Held()
        for (const [event, ms] of events) {
          // A timer fires once, and only if it is set.
          if (event.type === 'timer' && !held.timer) continue
          if (event.type === 'timer') held.timer = false
          held.obey(machine.on(event, ms))
          const { phase } = machine.state
          expect(held.timer).toBe(phase !== 'idle')
          const underWay = phase === 'open' ? 'stream' : phase === 'stream' || phase === 'poll' ? phase : undefined
          expect(held.underWay).toBe(underWay)
        }
      }),
      { numRuns: 500 },
    )
  })

  test(`${name} is live in the end once the server answers, unless the job is over or nobody watches`, () => {
    fc.assert(
      fc.property(run, (events) => {
        const machine = new Machine(policy)
        machine.on({ type: 'start' })
        for (const [event, ms] of events) if (event.type !== 'stop') machine.on(event, ms)
        let steps = 0
        while (machine.state.status !== 'live' && machine.state.phase !== 'idle') {
          if (steps++ > 200) throw new Error(`It stays ${machine.state.phase} for ever`)
          if (machine.state.phase === 'open' || machine.state.phase === 'stream') {
            machine.on({ type: 'message', cursor: 'e-3' })
          } else if (machine.state.phase === 'poll') machine.on({ type: 'polled' })
          else machine.on({ type: 'timer' }, 30_000)
        }
      }),
      { numRuns: 500 },
    )
  })
})
