import {
  type ConnectionEvent,
  type ConnectionState,
  createConnectionState,
  type transition,
} from '../../../../client/connection/connection-state.ts'

/** The phase that an event begins, with its time-out, and the cursor of a stream or poll; nothing where all goes on as it was. */
export type Began = [] | [phase: ConnectionState['phase'], ms?: number | undefined, cursor?: string | undefined]

export const opens = (cursor?: string): Began => ['open', 8_000, cursor]
export const polls = (cursor?: string): Began => ['poll', 15_000, cursor]
export const waits = (ms: number): Began => ['wait', ms, undefined]
/** The stream goes on, with another time-out. */
export const watches = (ms: number): Began => ['stream', ms, undefined]
export const closes: Began = ['idle', undefined, undefined]

/** A connection under a test's own clock, whose jitter is in the middle. */
export class Machine {
  state: ConnectionState
  now: number
  readonly #policy: typeof transition
  readonly #random: number

  constructor(policy: typeof transition, state = createConnectionState(), now = 1_000_000, random = 0.5) {
    this.#policy = policy
    this.state = state
    this.now = now
    this.#random = random
  }

  /** What begins after an event that comes `ms` later. */
  on(event: ConnectionEvent, ms = 0): Began {
    this.now += ms
    const [state, phase, timeout] = this.#policy(this.state, event, this.now, this.#random)
    this.state = state
    if (phase === undefined) return []
    return [phase, timeout, phase === 'open' || phase === 'poll' ? state.cursor : undefined]
  }
}

/** A connection that has been live for a while, at the cursor `e-7` where its policy has cursors. */
export function live(policy: typeof transition, ms = 20_000): Machine {
  const machine = new Machine(policy)
  machine.on({ type: 'start' })
  machine.on({ type: 'opened' })
  machine.on({ type: 'message', cursor: 'e-1' })
  machine.on({ type: 'message', cursor: 'e-7' }, ms)
  return machine
}

/** A connection whose stream is mute and that polls, at the cursor `e-2` where its policy has cursors. */
export function polling(policy: typeof transition): Machine {
  const machine = new Machine(policy)
  machine.on({ type: 'start' })
  for (let start = 0; start < 3; start++) {
    machine.on({ type: 'timer' }, 8_000)
    machine.on({ type: 'polled', cursor: `e-${start}` })
  }
  return machine
}
