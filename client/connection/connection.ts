import type { Timer } from '../../shared/time/clock.ts'
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionStatus,
  createConnectionState,
  transition,
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
  /** Receives a message, its name and parsed data, and returns its meaning for the policy. */
  receive(name: string, data: unknown): ConnectionEvent
  /** The cursor to start from. Without one the server sends a snapshot at once. */
  cursor?: string | undefined
  onStatus(status: ConnectionStatus): void
  /** Called whenever the server was heard. */
  onHeard?(): void
  environment: Environment
}

/** A connection to the server. */
export interface Connection {
  readonly status: ConnectionStatus
  /** Connects, unless connected or ended. */
  start(): void
  /** Disconnects and releases everything. Can be started again, and then resumes. */
  stop(): void
}

/** Events of streams and polls that are not messages. */
const SILENT: readonly ConnectionEvent['type'][] = ['closed', 'failed', 'refused']

/** Runs the policy of `connection-state.ts`: carries out its actions, and reports events to it. */
export function createConnection(options: ConnectionOptions): Connection {
  const { clock, random, page } = options.environment
  let state = createConnectionState(options.cursor)
  let attempt: AbortController | undefined
  let timer: Timer | undefined
  let listening: AbortController | undefined

  function dispatch(event: ConnectionEvent): void {
    const before = state.status
    const [after, actions] = transition(state, event, clock.now(), random.number())
    state = after
    for (const action of actions) act(action)
    if (after.status !== before) options.onStatus(after.status)
    // Nothing follows the end: page events no longer matter.
    if (after.phase === 'over') listening?.abort()
  }

  function act(action: ConnectionAction): void {
    if (action.do === 'open' || action.do === 'poll') begin(options[action.do], action.cursor)
    else clock.clearTimeout(timer)
    if (action.do === 'close') attempt?.abort()
    if (action.do === 'wait') timer = clock.setTimeout(() => dispatch({ type: 'timer' }), action.ms)
  }

  function begin(run: ConnectionOptions['open' | 'poll'], cursor: string | undefined): void {
    attempt = new AbortController()
    const { signal } = attempt
    const tell = (event: ConnectionEvent | undefined) => {
      if (!event || signal.aborted) return
      if (!SILENT.includes(event.type)) options.onHeard?.()
      dispatch(event)
    }
    const take = (name: string, text: string) => {
      if (!signal.aborted) tell(receive(name, text))
    }
    run(cursor, { signal, tell, take }).then(tell, () => tell({ type: 'failed' }))
  }

  function receive(name: string, text: string): ConnectionEvent {
    let data: unknown
    try {
      data = JSON.parse(text)
    } catch {
      // A malformed message: the stream can't be trusted.
      return { type: 'failed' }
    }
    return options.receive(name, data)
  }

  /** Listens to the network and the page. */
  function listen(): void {
    listening?.abort()
    listening = new AbortController()
    const { signal } = listening
    const hear = ({ type }: Event) => {
      if (type === 'online' || type === 'offline') dispatch({ type })
      else if (page?.document?.visibilityState !== 'hidden') dispatch({ type: 'visible' })
    }
    // `pageshow` is for a page that comes back from the back-forward cache: its streams were cut when it went there.
    for (const name of ['online', 'offline', 'visibilitychange', 'pageshow']) {
      page?.addEventListener(name, hear, { signal })
    }
  }

  return {
    get status() {
      return state.status
    },
    start() {
      listen()
      dispatch({ type: 'start' })
      if (page?.navigator?.onLine === false) dispatch({ type: 'offline' })
    },
    stop() {
      listening?.abort()
      dispatch({ type: 'stop' })
    },
  }
}
