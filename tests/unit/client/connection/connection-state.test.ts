import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  createConnectionState,
  transition,
} from '../../../../client/connection/connection-state.ts'
import type { EndReason } from '../../../../shared/wire/messages.ts'

/** A connection under a test's own clock, whose jitter is in the middle. */
class Machine {
  state: ConnectionState
  now: number
  readonly random: number

  constructor(state: ConnectionState = createConnectionState(), now = 1_000_000, random = 0.5) {
    this.state = state
    this.now = now
    this.random = random
  }

  /** What is to be done after an event that comes `ms` later. */
  on(event: ConnectionEvent, ms = 0): ConnectionAction[] {
    this.now += ms
    const [state, actions] = transition(this.state, event, this.now, this.random)
    this.state = state
    return actions
  }
}

const opens = (cursor?: string): ConnectionAction[] => [
  { do: 'close' },
  { do: 'open', cursor },
  { do: 'wait', ms: 8_000 },
]
const polls = (cursor?: string): ConnectionAction[] => [
  { do: 'close' },
  { do: 'poll', cursor },
  { do: 'wait', ms: 15_000 },
]
const waits = (ms: number): ConnectionAction[] => [{ do: 'close' }, { do: 'wait', ms }]
const closes: ConnectionAction[] = [{ do: 'close' }]

/** A connection that has been live for a while. */
function live(ms = 20_000): Machine {
  const machine = new Machine()
  machine.on({ type: 'start' })
  machine.on({ type: 'opened' })
  machine.on({ type: 'message', cursor: 'e-1' })
  machine.on({ type: 'message', cursor: 'e-7' }, ms)
  return machine
}

/** A connection whose stream is mute and that polls. */
function polling(): Machine {
  const machine = new Machine()
  machine.on({ type: 'start' })
  for (let start = 0; start < 3; start++) {
    machine.on({ type: 'timer' }, 8_000)
    machine.on({ type: 'polled', cursor: `e-${start}` })
  }
  return machine
}

describe('transition: the way to live', () => {
  test('transition opens a stream at the start, and only once', () => {
    const machine = new Machine()
    expect(machine.on({ type: 'start' })).toEqual(opens())
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'start' })).toEqual([])
  })

  test('transition goes on from a cursor that it was given', () => {
    expect(new Machine(createConnectionState('e-3')).on({ type: 'start' })).toEqual(opens('e-3'))
  })

  test('transition is live from the first message on, not from the first byte', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'opened' })).toEqual([])
    expect(machine.on({ type: 'bytes' }, 500)).toEqual([{ do: 'wait', ms: 75_000 }])
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'message', cursor: 'e-1' }, 500)).toEqual([])
    expect(machine.state.status).toBe('live')
  })

  test('transition is live again once a stream that goes on where it was is open, with time until the first ping', () => {
    const machine = live()
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.state.status).toBe('reconnecting')
    expect(machine.on({ type: 'opened' })).toEqual([{ do: 'wait', ms: 40_000 }])
    expect(machine.state.status).toBe('live')
    expect(machine.on({ type: 'timer' }, 40_000)).toEqual(polls('e-7'))
  })

  test('transition does not trust an open stream after a mute one', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    machine.on({ type: 'polled', cursor: 'e-5' })
    expect(machine.on({ type: 'opened' })).toEqual([])
    expect(machine.state.status).toBe('connecting')
  })

  test('transition keeps the cursor through a message that has none', () => {
    const machine = live()
    machine.on({ type: 'message' })
    expect(machine.state.cursor).toBe('e-7')
  })
})

describe('transition: the watch over silence', () => {
  test('transition watches only the time that is left since the last byte', () => {
    const machine = live()
    machine.on({ type: 'bytes' }, 30_000)
    expect(machine.on({ type: 'timer' }, 45_000)).toEqual([{ do: 'wait', ms: 30_000 }])
    expect(machine.state.status).toBe('live')
  })

  test('transition opens again after 75 seconds of silence, from where it was', () => {
    const machine = live()
    expect(machine.on({ type: 'timer' }, 75_000)).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('reconnecting')
    machine.on({ type: 'message', cursor: 'e-8' })
    expect(machine.state.status).toBe('live')
  })

  test('transition does not wait longer when the clock goes back', () => {
    const machine = live()
    expect(machine.on({ type: 'timer' }, -500_000)).toEqual([{ do: 'wait', ms: 75_000 }])
  })
})

describe('transition: the end of a stream', () => {
  test('transition opens the next one at once when a stream that lived closes, and stays live', () => {
    const machine = live()
    expect(machine.on({ type: 'closed' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('live')
  })

  test('transition backs off from streams that close young', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    const delays: ConnectionAction[][] = []
    for (let times = 0; times < 3; times++) {
      machine.on({ type: 'message', cursor: 'e-1' })
      delays.push(machine.on({ type: 'closed' }, 9_999))
      machine.on({ type: 'timer' })
    }
    expect(delays).toEqual([waits(1_500), waits(3_000), waits(6_000)])
  })

  test('transition waits before it tries a lost stream again', () => {
    const machine = live()
    expect(machine.on({ type: 'failed' })).toEqual(waits(1_500))
    expect(machine.state.status).toBe('reconnecting')
    expect(machine.on({ type: 'timer' })).toEqual(opens('e-7'))
  })

  test.each<[EndReason | undefined, ConnectionState['status']]>([
    ['completed', 'ended'],
    ['failed', 'ended'],
    ['cancelled', 'ended'],
    ['expired', 'ended'],
    [undefined, 'ended'],
    ['deleted', 'not-found'],
    ['token-expired', 'expired'],
  ])('transition stops for good at the end by %p: %p', (reason, status) => {
    const machine = live()
    expect(machine.on({ type: 'ended', reason })).toEqual(closes)
    expect(machine.state.status).toBe(status)
    for (const type of ['timer', 'closed', 'online', 'visible', 'gap', 'refused', 'opened', 'bytes'] as const) {
      expect(machine.on({ type })).toEqual([])
    }
    expect(machine.on({ type: 'failed' })).toEqual([])
    expect(machine.on({ type: 'offline' })).toEqual([])
    expect(machine.state.status).toBe(status)
  })

  test('transition does not open the stream of an ended job again when it is started again', () => {
    const machine = live()
    machine.on({ type: 'ended', reason: 'completed' })
    expect(machine.on({ type: 'stop' })).toEqual([])
    expect(machine.on({ type: 'start' })).toEqual([])
    expect(machine.state.status).toBe('ended')
  })

  test('transition tries anew when it is started again after it gave up', () => {
    const machine = live()
    machine.on({ type: 'ended', reason: 'deleted' })
    machine.on({ type: 'stop' })
    expect(machine.on({ type: 'start' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('connecting')
  })
})

describe('transition: backing off', () => {
  test('transition doubles the wait up to 30 seconds', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    const delays: ConnectionAction[][] = []
    for (let times = 0; times < 7; times++) {
      delays.push(machine.on({ type: 'failed', status: 502 }))
      machine.on({ type: 'timer' })
    }
    expect(delays).toEqual([1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500].map(waits))
  })

  test('transition spreads the waits between a half and the whole', () => {
    const delays = [0, 0.25, 0.999].map((random) => {
      const machine = new Machine(createConnectionState(), 0, random)
      machine.on({ type: 'start' })
      return machine.on({ type: 'failed' })
    })
    expect(delays).toEqual([waits(1_000), waits(1_250), waits(1_999)])
  })

  test('transition honours the retry of the server, within reason', () => {
    const machine = live()
    machine.on({ type: 'retry', ms: 4_000 })
    expect(machine.on({ type: 'failed' })).toEqual(waits(3_000))
    machine.on({ type: 'retry', ms: 0 })
    expect(machine.state.retryMs).toBe(100)
    machine.on({ type: 'retry', ms: 9e9 })
    expect(machine.state.retryMs).toBe(30_000)
  })

  test('transition waits as long as Retry-After says, and a little more by chance', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status: 503, retryAfterMs: 60_000 })).toEqual(waits(61_500))
    expect(machine.on({ type: 'visible' }, 30_000)).toEqual([])
    expect(machine.on({ type: 'visible' }, 30_000)).toEqual(opens())
    expect(machine.on({ type: 'failed', status: 503, retryAfterMs: 9e9 })).toEqual(waits(301_500))
  })
})

describe('transition: refusals', () => {
  test('transition believes that a job is not there when it is told so twice', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'timer' })).toEqual(opens())
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(closes)
    expect(machine.state.status).toBe('not-found')
  })

  test('transition forgets a 404 in passing', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'failed', status: 404 })
    machine.on({ type: 'timer' })
    machine.on({ type: 'opened' })
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
  })

  test.each([401, 403])('transition believes %p the third time in a row', (status) => {
    const machine = live()
    machine.on({ type: 'failed' })
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(waits(1_500))
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(waits(3_000))
    machine.on({ type: 'timer' })
    expect(machine.on({ type: 'failed', status })).toEqual(closes)
    expect(machine.state.status).toBe('expired')
  })

  test.each([500, 502, 503, 504])('transition never gives up at %p', (status) => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    for (let times = 0; times < 50; times++) {
      machine.on({ type: 'failed', status })
      expect(machine.on({ type: 'timer' })).toEqual(opens())
    }
    expect(machine.state.status).toBe('reconnecting')
  })

  test('transition polls when an EventSource was refused, to learn why', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'refused' })).toEqual(polls())
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(waits(1_500))
    machine.on({ type: 'timer' })
    machine.on({ type: 'refused' })
    expect(machine.on({ type: 'failed', status: 404 })).toEqual(closes)
    expect(machine.state.status).toBe('not-found')
  })

  test.each([200, 400, 429])('transition polls when a stream is answered with %p', (status) => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status })).toEqual(polls())
  })

  test('transition ends when a poll tells that the job has', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'refused' })
    expect(machine.on({ type: 'ended', reason: 'completed' })).toEqual(closes)
    expect(machine.state.status).toBe('ended')
  })
})

describe('transition: mute streams', () => {
  test('transition polls when a stream is mute for 8 seconds, then tries the stream again', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'opened' })
    expect(machine.on({ type: 'timer' }, 8_000)).toEqual(polls())
    expect(machine.on({ type: 'polled', cursor: 'e-5' })).toEqual(opens('e-5'))
  })

  test('transition keeps polling after three mute streams, and tries a stream again after five minutes', () => {
    const machine = polling()
    expect(machine.state.status).toBe('polling')
    const begun = machine.now
    let actions: ConnectionAction[] = []
    let count = 0
    while (machine.now - begun < 300_000) {
      actions = machine.on({ type: 'timer' }, 5_625)
      if (machine.state.phase === 'opening') break
      expect(actions).toEqual(polls(machine.state.cursor))
      expect(machine.on({ type: 'polled', cursor: 'e-9' })).toEqual(waits(5_625))
      count += 1
    }
    expect(count).toBe(53)
    expect(actions).toEqual(opens('e-9'))
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'polled' })).toEqual(waits(5_625))
    expect(machine.state.status).toBe('polling')
  })

  test('transition polls as often as the server asks for', () => {
    const machine = polling()
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'polled', retryAfterMs: 2_000 })).toEqual(waits(2_250))
  })

  test('transition takes the next page of a poll at once', () => {
    const machine = polling()
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'polled', cursor: 'e-8', more: true })).toEqual(polls('e-8'))
  })

  test('transition backs off when polls fail, and does not count that against the stream', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'failed' })).toEqual(waits(1_500))
    expect(machine.on({ type: 'timer' })).toEqual(opens())
    expect(machine.state.mutes).toBe(0)
  })

  test('transition gives a poll 15 seconds', () => {
    const machine = new Machine()
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'timer' }, 15_000)).toEqual(waits(1_500))
  })

  test('transition is live again at the first message of a stream', () => {
    const machine = polling()
    machine.on({ type: 'timer' }, 300_000)
    machine.on({ type: 'message', cursor: 'e-9' })
    expect(machine.state).toMatchObject({ status: 'live', mutes: 0, pollUntil: 0 })
  })
})

describe('transition: gaps', () => {
  test('transition goes on from where the document is, at once', () => {
    const machine = live()
    expect(machine.on({ type: 'gap' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('live')
  })

  test('transition begins anew, and with a wait, when the next stream leaves a gap too', () => {
    const machine = live()
    machine.on({ type: 'gap' })
    machine.on({ type: 'bytes' })
    expect(machine.on({ type: 'gap' })).toEqual(waits(3_000))
    expect(machine.on({ type: 'timer' })).toEqual(opens())
  })

  test('transition begins anew when a poll leaves a gap', () => {
    const machine = polling()
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'gap' })).toEqual(waits(1_500))
    expect(machine.on({ type: 'timer' })).toEqual(polls())
  })
})

describe('transition: the network and the page', () => {
  test('transition says offline, and keeps the stream: it may be on this machine', () => {
    const machine = live()
    expect(machine.on({ type: 'offline' })).toEqual([])
    expect(machine.state.status).toBe('offline')
    machine.on({ type: 'message', cursor: 'e-8' })
    expect(machine.state.status).toBe('live')
    expect(machine.on({ type: 'online' })).toEqual([])
  })

  test('transition stays offline while its tries fail, and opens at once when it is online', () => {
    const machine = live()
    machine.on({ type: 'offline' })
    machine.on({ type: 'failed' })
    expect(machine.state.status).toBe('offline')
    expect(machine.on({ type: 'online' })).toEqual(opens('e-7'))
    expect(machine.state.status).toBe('reconnecting')
  })

  test('transition opens anew when the network came back under a stream', () => {
    const machine = live()
    machine.on({ type: 'offline' })
    expect(machine.on({ type: 'online' }, 3_000)).toEqual(opens('e-7'))
  })

  test('transition takes an answered poll for a network', () => {
    const machine = polling()
    machine.on({ type: 'offline' })
    machine.on({ type: 'timer' }, 5_625)
    machine.on({ type: 'polled' })
    expect(machine.state.status).toBe('polling')
  })

  test('transition tries at once when someone comes back to the page', () => {
    const machine = live()
    machine.on({ type: 'failed' })
    expect(machine.on({ type: 'visible' })).toEqual(opens('e-7'))
  })

  test('transition does not trust a stream that is silent for more than a ping when someone comes back', () => {
    const machine = live()
    expect(machine.on({ type: 'visible' }, 39_999)).toEqual([])
    expect(machine.on({ type: 'visible' }, 1)).toEqual(opens('e-7'))
  })

  test('transition does nothing about the network before the start and after the stop', () => {
    const machine = new Machine()
    for (const type of ['offline', 'online', 'visible', 'timer'] as const) expect(machine.on({ type })).toEqual([])
    expect(machine.state.status).toBe('connecting')
  })

  test('transition stops, lets go of everything, and starts where it was', () => {
    const machine = live()
    expect(machine.on({ type: 'stop' })).toEqual(closes)
    expect(machine.on({ type: 'stop' })).toEqual([])
    expect(machine.on({ type: 'start' })).toEqual(opens('e-7'))
  })
})

describe('transition: whatever happens', () => {
  const cursor = fc.constantFrom(undefined, 'e-1', 'e-2')
  const retryAfterMs = fc.option(fc.nat({ max: 1e9 }), { nil: undefined })
  const anyEvent: fc.Arbitrary<ConnectionEvent> = fc.oneof(
    fc.constantFrom<ConnectionEvent>(
      { type: 'start' },
      { type: 'stop' },
      { type: 'opened' },
      { type: 'bytes' },
      { type: 'gap' },
      { type: 'closed' },
      { type: 'refused' },
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
      status: fc.constantFrom(undefined, 200, 400, 401, 404, 429, 500, 503),
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

  /** What the I/O would hold: the streams, polls and timers that actions open and close. */
  class Held {
    streams = 0
    polls = 0
    timer = false

    obey(actions: ConnectionAction[]): void {
      for (const action of actions) {
        if (action.do === 'close') Object.assign(this, { streams: 0, polls: 0, timer: false })
        else if (action.do === 'open') this.streams += 1
        else if (action.do === 'poll') this.polls += 1
        else {
          if (!(action.ms >= 0 && action.ms <= 400_000)) throw new Error(`It waits for ${action.ms} ms`)
          this.timer = true
        }
        if (this.streams + this.polls > 1) throw new Error('Two things are under way at once')
      }
    }
  }

  test('transition never has two streams or polls at once, and waits for no timer for ever', () => {
    fc.assert(
      fc.property(run, (events) => {
        const machine = new Machine()
        const held = new Held()
        for (const [event, ms] of events) {
          // A timer fires once, and only if it is set.
          if (event.type === 'timer' && !held.timer) continue
          if (event.type === 'timer') held.timer = false
          held.obey(machine.on(event, ms))
          const { phase } = machine.state
          const isAtWork = phase !== 'idle' && phase !== 'over'
          expect(held.timer).toBe(isAtWork)
          expect(held.streams).toBe(phase === 'opening' || phase === 'streaming' ? 1 : 0)
          expect(held.polls).toBe(phase === 'asking' ? 1 : 0)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('transition is live in the end once the server answers, unless the job is over or nobody watches', () => {
    fc.assert(
      fc.property(run, (events) => {
        const machine = new Machine()
        machine.on({ type: 'start' })
        for (const [event, ms] of events) if (event.type !== 'stop') machine.on(event, ms)
        let steps = 0
        while (machine.state.status !== 'live' && machine.state.phase !== 'over') {
          if (steps++ > 200) throw new Error(`It stays ${machine.state.phase} for ever`)
          if (machine.state.phase === 'opening' || machine.state.phase === 'streaming') {
            machine.on({ type: 'message', cursor: 'e-3' })
          } else if (machine.state.phase === 'asking') machine.on({ type: 'polled' })
          else machine.on({ type: 'timer' }, 30_000)
        }
      }),
      { numRuns: 500 },
    )
  })
})
