import type { Timer } from '../../shared/time/clock.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import {
  type ConnectionEvent,
  type ConnectionPhase,
  type ConnectionStatus,
  createConnectionState,
  type transition,
} from './connection-state.ts'
import type { Environment } from './environment.ts'

/** One stream or poll. Ignored once another has replaced it. */
export interface Attempt {
  /** Aborted when another replaces it. */
  readonly signal: AbortSignal
  /** Reports an event to the policy. */
  tell(event: ConnectionEvent): void
  /** Takes a message of the stream: its name, and its data as it was sent. */
  take(name: string, text: string): void
}

/** The options of a connection. */
export interface ConnectionOptions {
  /** Opens the stream from a cursor. Returns how it ended, unless that was reported to the attempt; throwing is a failure. */
  open(cursor: string | undefined, attempt: Attempt): Promise<ConnectionEvent | undefined>
  /** Polls for the same, when streams are mute. */
  poll(cursor: string | undefined, attempt: Attempt): Promise<ConnectionEvent | undefined>
  /** Receives a message, its name and parsed data, and returns its meaning for the policy; throws when it is malformed. */
  receive(name: string, data: unknown): ConnectionEvent
  /**
   * The cursor to start from. Without one the server sends a snapshot at once. Streams of several jobs have none, but may be as silent as
   * one that goes on from a cursor: for them it is any text.
   */
  cursor?: string | undefined
  onStatus(status: ConnectionStatus): void
  /** Called whenever the server was heard. */
  onHeard(): void
  /** Decides when to connect: the policy of `connection-state.ts`, or one that is built on it. */
  policy: typeof transition
  environment: Environment
}

/** The outcome of receiving a message. */
export interface Received {
  /** The client's cursor now. */
  cursor?: string | undefined
  /** It does not continue the document. */
  gap?: boolean | undefined
  /** Everything that is followed has ended. */
  ended?: EndReason | undefined
  /** Of a poll: there is another page. */
  more?: boolean | undefined
}

/** The same as an event of the policy. */
export function eventOf({ cursor, gap, ended, more }: Received, type: 'message' | 'polled'): ConnectionEvent {
  if (gap) return { type: 'gap' }
  if (ended) return { type: 'ended', reason: ended }
  return { type, cursor, more }
}

/** A connection to the server. */
export interface ServerConnection {
  readonly status: ConnectionStatus
  /** Connects, unless connected or ended. */
  start(): void
  /** Replaces the stream by another, with the same status until that fails: what is followed has changed. Connects if it is not connected. */
  again(): void
  /** Disconnects and releases everything. Can be started again, and then resumes. */
  stop(): void
}

/** Runs a connection policy: carries out its actions, and reports events to it. */
export function createConnection(options: ConnectionOptions): ServerConnection {
  const { clock, random, page } = options.environment
  let state = createConnectionState(options.cursor)
  /** Aborts the present stream, poll or wait. */
  let attempt: AbortController | undefined
  let timer: Timer | undefined

  const isHidden = () => page?.document?.visibilityState === 'hidden'

  function dispatch(event: ConnectionEvent): void {
    const { status } = state
    const [next, phase, ms] = options.policy(state, event, clock.now(), random.number())
    state = next
    if (phase) begin(phase, ms)
    if (next.status !== status) options.onStatus(next.status)
  }

  function begin(phase: ConnectionPhase, ms: number | undefined): void {
    clock.clearTimeout(timer)
    if (ms) timer = clock.setTimeout(() => dispatch({ type: 'timer' }), ms)
    if (phase === 'stream') return
    attempt?.abort()
    if (phase === 'idle') return
    attempt = new AbortController()
    const { signal } = attempt
    listen(signal)
    if (phase === 'wait') return
    const tell = (event: ConnectionEvent | undefined) => {
      if (!event || signal.aborted) return
      if (event.type !== 'failed' && event.type !== 'closed') options.onHeard()
      dispatch(event)
    }
    const take = (name: string, text: string) => {
      if (signal.aborted) return
      let event: ConnectionEvent = { type: 'failed' }
      try {
        event = options.receive(name, JSON.parse(text))
      } catch {
        // A malformed message: the stream can't be trusted.
      }
      tell(event)
      if (name === 'ping' && isHidden()) tell({ type: 'unseen' })
    }
    options[phase](state.cursor, { signal, tell, take }).then(tell, () => tell({ type: 'failed' }))
  }

  /** Listens to the network and the page. */
  function listen(signal: AbortSignal): void {
    const hear = ({ type }: Event) => {
      if (type === 'online' || type === 'offline') dispatch({ type })
      else if (!isHidden()) dispatch({ type: 'visible' })
    }
    // `pageshow` is for a page that comes back from the back-forward cache: its streams were cut when it went there.
    for (const name of ['online', 'offline', 'visibilitychange', 'pageshow']) {
      page?.addEventListener(name, hear, { signal })
    }
  }

  function begins(type: 'start' | 'again'): void {
    dispatch({ type })
    if (page?.navigator?.onLine === false) dispatch({ type: 'offline' })
  }

  return {
    get status() {
      return state.status
    },
    start: () => begins('start'),
    again: () => begins('again'),
    stop: () => dispatch({ type: 'stop' }),
  }
}
