import { describe, expect, test } from 'bun:test'
import {
  type ConnectionEvent,
  createConnectionState,
  transition,
} from '../../../../client/connection/connection-state.ts'
import { type Began, live, Machine, opens, polling, polls, waits, watches } from './machine.ts'

describe('transition: the way to live', () => {
  test('transition opens a stream at the start, and only once', () => {
    const machine = new Machine(transition)
    expect(machine.on({ type: 'start' })).toEqual(opens())
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'start' })).toEqual([])
  })

  test('transition goes on from a cursor that it was given', () => {
    expect(new Machine(transition, createConnectionState('e-3')).on({ type: 'start' })).toEqual(opens('e-3'))
  })

  test('transition is live from the first message on, not from the first byte', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'opened' })).toEqual([])
    expect(machine.on({ type: 'bytes' }, 500)).toEqual(watches(75_000))
    expect(machine.state.status).toBe('connecting')
    expect(machine.on({ type: 'message' }, 500)).toEqual(watches(75_000))
    expect(machine.state.status).toBe('live')
  })

  test('transition does not trust an open stream after a mute one', () => {
    const machine = new Machine(transition, createConnectionState('e-5'))
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    machine.on({ type: 'polled' })
    expect(machine.on({ type: 'opened' })).toEqual([])
    expect(machine.state.status).toBe('connecting')
  })
})

describe('transition: silence', () => {
  test('transition opens a stream again that delivers nothing for 75 seconds', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'bytes' }, 30_000)).toEqual(watches(75_000))
    expect(machine.on({ type: 'timer' }, 75_000)).toEqual(opens())
    expect(machine.state.status).toBe('reconnecting')
    machine.on({ type: 'message' })
    expect(machine.state.status).toBe('live')
  })

  test.each<[string, ConnectionEvent, number]>([
    ['its time is over', { type: 'timer' }, 75_000],
    ['someone comes back', { type: 'visible' }, 40_000],
  ])('transition forgets the failures before a stream that falls silent, when %s', (_when, event, ms) => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    for (let times = 0; times < 7; times++) {
      machine.on({ type: 'failed', status: 502 })
      machine.on({ type: 'timer' })
    }
    machine.on({ type: 'message' })
    machine.on({ type: 'message' }, 3_600_000)
    expect(machine.on(event, ms)).toEqual(opens())
    expect(machine.on({ type: 'failed', status: 502 })).toEqual(waits(1_500))
  })
})

describe('transition: the end of a stream', () => {
  test('transition opens the next one at once when a stream that lived and stays live', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'closed' })).toEqual(opens())
    expect(machine.state.status).toBe('live')
  })

  test('transition backs off from streams that close young', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    const delays: Began[] = []
    for (let times = 0; times < 3; times++) {
      machine.on({ type: 'message' })
      delays.push(machine.on({ type: 'closed' }, 9_999))
      machine.on({ type: 'timer' })
    }
    expect(delays).toEqual([waits(1_500), waits(3_000), waits(6_000)])
  })

  test('transition waits before it tries a lost stream again', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'failed' })).toEqual(waits(1_500))
    expect(machine.state.status).toBe('reconnecting')
    expect(machine.on({ type: 'timer' })).toEqual(opens())
  })
})

describe('transition: backing off', () => {
  test('transition doubles the wait up to 30 seconds', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    const delays: Began[] = []
    for (let times = 0; times < 7; times++) {
      delays.push(machine.on({ type: 'failed', status: 502 }))
      machine.on({ type: 'timer' })
    }
    expect(delays).toEqual([1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500].map(waits))
  })

  test('transition spreads the waits between a half and the whole', () => {
    const delays = [0, 0.25, 0.999].map((random) => {
      const machine = new Machine(transition, createConnectionState(), 0, random)
      machine.on({ type: 'start' })
      return machine.on({ type: 'failed' })
    })
    expect(delays).toEqual([waits(1_000), waits(1_250), waits(1_999)])
  })

  test('transition waits as long as Retry-After says, and a little more by chance', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status: 503, retryAfterMs: 60_000 })).toEqual(waits(61_500))
    expect(machine.on({ type: 'visible' }, 30_000)).toEqual([])
    expect(machine.on({ type: 'visible' }, 30_000)).toEqual(opens())
  })
})

describe('transition: refusals', () => {
  test.each([500, 502, 503, 504])('transition never gives up at %p', (status) => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    for (let times = 0; times < 50; times++) {
      machine.on({ type: 'failed', status })
      expect(machine.on({ type: 'timer' })).toEqual(opens())
    }
    expect(machine.state.status).toBe('reconnecting')
  })

  test.each([200, 400, 429])('transition polls when a stream is answered with %p', (status) => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    expect(machine.on({ type: 'failed', status })).toEqual(polls())
  })
})

describe('transition: mute streams', () => {
  test('transition polls when a stream is mute for 8 seconds, then tries the stream again', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    machine.on({ type: 'opened' })
    expect(machine.on({ type: 'timer' }, 8_000)).toEqual(polls())
    expect(machine.on({ type: 'polled' })).toEqual(opens())
  })

  test('transition keeps polling after three mute streams, and tries a stream again after five minutes', () => {
    const machine = polling(transition)
    expect(machine.state.status).toBe('polling')
    const begun = machine.now
    let actions: Began = []
    let count = 0
    while (machine.now - begun < 300_000) {
      actions = machine.on({ type: 'timer' }, 5_625)
      if (machine.state.phase === 'open') break
      expect(actions).toEqual(polls(machine.state.cursor))
      expect(machine.on({ type: 'polled' })).toEqual(waits(5_625))
      count += 1
    }
    expect(count).toBe(53)
    expect(actions).toEqual(opens())
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'polled' })).toEqual(waits(5_625))
    expect(machine.state.status).toBe('polling')
  })

  test('transition polls as often as the server asks for', () => {
    const machine = polling(transition)
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'polled', retryAfterMs: 2_000 })).toEqual(waits(2_250))
  })

  test('transition does not poll at once when the server asks for no wait', () => {
    const machine = polling(transition)
    machine.on({ type: 'timer' }, 5_625)
    expect(machine.on({ type: 'polled', retryAfterMs: 0 })).toEqual(waits(5_625))
  })

  test('transition backs off when polls fail, and does not count that against the stream', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'failed' })).toEqual(waits(1_500))
    expect(machine.on({ type: 'timer' })).toEqual(opens())
    expect(machine.state.mutes).toBe(0)
  })

  test('transition gives a poll 15 seconds', () => {
    const machine = new Machine(transition)
    machine.on({ type: 'start' })
    machine.on({ type: 'timer' }, 8_000)
    expect(machine.on({ type: 'timer' }, 15_000)).toEqual(waits(1_500))
  })

  test('transition is live again at the first message of a stream', () => {
    const machine = polling(transition)
    machine.on({ type: 'timer' }, 300_000)
    machine.on({ type: 'message' })
    expect(machine.state).toMatchObject({ status: 'live', mutes: 0, pollUntil: 0 })
  })
})

describe('transition: the network and the page', () => {
  test('transition says offline, and keeps the stream: it may be on this machine', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'offline' })).toEqual([])
    expect(machine.state.status).toBe('offline')
    machine.on({ type: 'message' })
    expect(machine.state.status).toBe('live')
    expect(machine.on({ type: 'online' })).toEqual([])
  })

  test('transition stays offline while its tries fail, and opens at once when it is online', () => {
    const machine = live(transition)
    machine.on({ type: 'offline' })
    machine.on({ type: 'failed' })
    expect(machine.state.status).toBe('offline')
    expect(machine.on({ type: 'online' })).toEqual(opens())
    expect(machine.state.status).toBe('reconnecting')
  })

  test('transition opens anew when the network came back under a stream', () => {
    const machine = live(transition)
    machine.on({ type: 'offline' })
    expect(machine.on({ type: 'online' }, 3_000)).toEqual(opens())
  })

  test('transition takes an answered poll for a network', () => {
    const machine = polling(transition)
    machine.on({ type: 'offline' })
    machine.on({ type: 'timer' }, 5_625)
    machine.on({ type: 'polled' })
    expect(machine.state.status).toBe('polling')
  })

  test('transition tries at once when someone comes back to the page', () => {
    const machine = live(transition)
    machine.on({ type: 'failed' })
    expect(machine.on({ type: 'visible' })).toEqual(opens())
  })

  test('transition does not trust a stream that is silent for more than a ping when someone comes back', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'visible' }, 39_999)).toEqual([])
    expect(machine.on({ type: 'visible' }, 1)).toEqual(opens())
  })

  test('transition does nothing about the network before the start and after the stop', () => {
    const machine = new Machine(transition)
    for (const type of ['offline', 'online', 'visible', 'timer'] as const) expect(machine.on({ type })).toEqual([])
    expect(machine.state.status).toBe('connecting')
  })
})

describe('transition: another stream', () => {
  test('transition replaces a live stream and stays live', () => {
    const machine = live(transition)
    expect(machine.on({ type: 'again' })).toEqual(opens())
    expect(machine.state.status).toBe('live')
  })

  test('transition opens the first one for what is followed first', () => {
    const machine = new Machine(transition)
    expect(machine.on({ type: 'again' })).toEqual(opens())
    expect(machine.state.status).toBe('connecting')
  })

  test('transition shortens its own waits, but not one that the server asked for', () => {
    const machine = live(transition)
    machine.on({ type: 'failed', status: 503 })
    expect(machine.on({ type: 'again' })).toEqual(opens())
    machine.on({ type: 'failed', status: 503, retryAfterMs: 60_000 })
    expect(machine.on({ type: 'again' }, 59_999)).toEqual([])
    expect(machine.on({ type: 'again' }, 1)).toEqual(opens())
  })

  test('transition polls on while streams are mute', () => {
    const machine = polling(transition)
    expect(machine.on({ type: 'again' })).toEqual(polls())
  })
})

describe('transition: a page that nobody sees', () => {
  test('transition lets go of its stream, looks again every minute, and stays live', () => {
    const machine = live(transition)
    for (let looks = 0; looks < 3; looks++) {
      expect(machine.on({ type: 'unseen' })).toEqual(waits(60_000))
      expect(machine.on({ type: 'timer' }, 60_000)).toEqual(opens())
      machine.on({ type: 'message' })
      expect(machine.state.status).toBe('live')
    }
  })

  test('transition opens a stream at once when someone comes back', () => {
    const machine = live(transition)
    machine.on({ type: 'unseen' })
    expect(machine.on({ type: 'visible' })).toEqual(opens())
  })
})
