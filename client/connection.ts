import type { Timer } from '../shared/clock.ts'
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionStatus,
  createConnectionState,
  transition,
} from './connection-state.ts'
import type { Environment } from './environment.ts'

/** A stream or a poll. It is heard for as long as it is the one that counts. */
export interface Attempt {
  /** Aborted when it no longer counts. */
  readonly signal: AbortSignal
  /** Tells what happened to it. */
  tell(event: ConnectionEvent): void
  /** Takes a message of the stream: its name, and its data as it was sent. */
  take(name: string, text: string): void
}

/** What a connection follows, and who hears of it. */
export interface ConnectionOptions {
  /** Opens the stream, from a cursor on. Answers how it ended, unless the attempt was told; to throw is to fail. */
  open(cursor: string | undefined, attempt: Attempt): Promise<ConnectionEvent | undefined>
  /** Asks for the same, when the stream is mute. */
  poll(cursor: string | undefined, attempt: Attempt): Promise<ConnectionEvent | undefined>
  /** Takes a message of the stream, its name and its parsed data, and answers what it is to the policy. */
  receive(name: string, data: unknown): ConnectionEvent
  /** Where the client is at the start. With nothing, it is owed everything at once. */
  cursor?: string | undefined
  onStatus(status: ConnectionStatus): void
  /** Told whenever the server was heard. */
  onHeard?(): void
  environment: Environment
}

/** A line to the server. */
export interface Connection {
  readonly status: ConnectionStatus
  /** Opens the line, unless it is open or everything was said. */
  start(): void
  /** Closes the line and lets go of everything. It can be opened again, and then goes on where it was. */
  stop(): void
}

/** What happens to a stream or a poll without a word of the server's. */
const SILENT: readonly ConnectionEvent['type'][] = ['closed', 'failed', 'refused']

/** Holds the line to the server: does what the policy in `connection-state.ts` says, and tells it what happened. */
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
    // Nothing comes after the end: a page that changes is of no more interest.
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
      // Half a message, or none of ours: the stream is not to be trusted.
      return { type: 'failed' }
    }
    return options.receive(name, data)
  }

  /** Hears of the network and of the page. */
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
