import type { Timer } from '../shared/clock.ts'
import type { EndReason } from '../shared/wire.ts'
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  type ConnectionStatus,
  createConnectionState,
  transition,
} from './connection-state.ts'
import type { Environment, EventSourceLike } from './environment.ts'
import { EventSourceParser } from './event-source-parser.ts'
import { retryAfterMs } from './retry-after.ts'

/** What became of a message. */
export interface Received {
  /** Where the client is now: what the next stream goes on from. */
  cursor?: string | undefined
  /** It does not follow from what is here. */
  gap?: boolean | undefined
  /** It was the last word on everything that is followed. */
  ended?: EndReason | undefined
  /** Of a poll: there is more to be asked for at once. */
  more?: boolean | undefined
}

/** What a connection follows, and who hears of it. */
export interface ConnectionOptions {
  /** Where the stream is, from a cursor on. */
  streamUrl(cursor: string | undefined): string
  /** Where to ask for the same when the stream is mute. */
  pollUrl(cursor: string | undefined): string
  /** Headers, `Authorization` for one, that every request needs. With any, streams are read with `fetch`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Takes a message of the stream: its name and its parsed data. */
  receive(event: string, data: unknown): Received
  /** Takes the parsed answer of a poll. */
  receivePoll(answer: unknown): Received
  /** Where the client is at the start. With nothing, it is owed everything at once. */
  cursor?: string | undefined
  /** Told whenever a stream is asked for. */
  onOpen?(): void
  onStatus(status: ConnectionStatus): void
  /** Told whenever the server was heard. */
  onHeard?(): void
  environment: Environment
}

/** The names of the messages that a stream may have. An EventSource hears only what it listens for by name. */
const MESSAGE_NAMES = [
  'snapshot',
  'patch',
  'ping',
  'end',
  'progress',
  'status',
  'item',
  'step',
  'job-error',
  'log',
  'control',
] as const

/** `EventSource.CLOSED`: it will not try again by itself. */
const CLOSED = 2

/**
 * Holds the line to the server: does what the policy in `connection-state.ts` says, and tells it what happened.
 *
 * An EventSource is used where it will do. Every stream is opened and given up by the policy: an EventSource that would try again by
 * itself is closed first, because it gives up for good at the first answer that is not 200.
 */
export class Connection {
  readonly #options: ConnectionOptions
  #state: ConnectionState
  #stream: (() => void) | undefined
  #timer: Timer | undefined
  #unlisten: (() => void) | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#state = createConnectionState(options.cursor)
  }

  get status(): ConnectionStatus {
    return this.#state.status
  }

  /** Opens the line, unless it is open or everything was said. */
  start(): void {
    this.#unlisten ??= this.#listen()
    this.#dispatch({ type: 'start' })
    if (this.#options.environment.page?.navigator?.onLine === false) this.#dispatch({ type: 'offline' })
  }

  /** Closes the line and lets go of everything. It can be opened again, and then goes on where it was. */
  stop(): void {
    this.#unlisten?.()
    this.#unlisten = undefined
    this.#dispatch({ type: 'stop' })
  }

  #dispatch(event: ConnectionEvent): void {
    const { clock, random } = this.#options.environment
    const before = this.#state.status
    const [state, actions] = transition(this.#state, event, clock.now(), random.number())
    this.#state = state
    for (const action of actions) this.#act(action)
    if (state.status !== before) this.#options.onStatus(state.status)
    // Nothing comes after the end: a page that changes is of no more interest.
    if (state.phase === 'over') {
      this.#unlisten?.()
      this.#unlisten = undefined
    }
  }

  #act(action: ConnectionAction): void {
    const { clock } = this.#options.environment
    switch (action.do) {
      case 'close':
        this.#stream?.()
        this.#stream = undefined
        clock.clearTimeout(this.#timer)
        break
      case 'open':
        this.#options.onOpen?.()
        this.#stream = this.#canListen ? this.#listenTo(action.cursor) : this.#read(action.cursor)
        break
      case 'poll':
        this.#stream = this.#poll(action.cursor)
        break
      case 'wait':
        clock.clearTimeout(this.#timer)
        this.#timer = clock.setTimeout(() => this.#dispatch({ type: 'timer' }), action.ms)
        break
    }
  }

  /** EventSource can't send headers. */
  get #canListen(): boolean {
    return this.#options.headers === undefined && this.#options.environment.EventSource !== undefined
  }

  /** What happens to one stream or poll, for as long as it is the one that counts. */
  #tell(signal: AbortSignal, event: ConnectionEvent): void {
    if (signal.aborted) return
    if (event.type === 'opened' || event.type === 'bytes') this.#options.onHeard?.()
    this.#dispatch(event)
  }

  #take(signal: AbortSignal, name: string, text: string): void {
    if (signal.aborted) return
    this.#options.onHeard?.()
    let data: unknown
    try {
      data = JSON.parse(text)
    } catch {
      // Half a message, or none of ours: the stream is not to be trusted.
      this.#dispatch({ type: 'failed' })
      return
    }
    const { cursor, gap, ended } = this.#options.receive(name, data)
    if (gap) this.#dispatch({ type: 'gap' })
    else if (ended) this.#dispatch({ type: 'ended', reason: ended })
    else this.#dispatch({ type: 'message', cursor })
  }

  #listenTo(cursor: string | undefined): () => void {
    const { EventSource } = this.#options.environment
    const abort = new AbortController()
    const { signal } = abort
    let source: EventSourceLike | undefined
    try {
      if (EventSource) source = new EventSource(this.#options.streamUrl(cursor))
    } catch {
      // Not a URL. Told later, as every failure is.
      queueMicrotask(() => this.#tell(signal, { type: 'failed' }))
    }
    if (source) {
      const stream = source
      let opened = false
      for (const name of MESSAGE_NAMES) stream.addEventListener(name, ({ data }) => this.#take(signal, name, data))
      stream.onopen = () => {
        opened = true
        this.#tell(signal, { type: 'opened' })
      }
      stream.onerror = () => {
        const type = opened ? 'closed' : stream.readyState === CLOSED ? 'refused' : 'failed'
        this.#tell(signal, { type })
      }
      signal.addEventListener('abort', () => stream.close())
    }
    return () => abort.abort()
  }

  #read(cursor: string | undefined): () => void {
    const abort = new AbortController()
    const { signal } = abort
    this.#readStream(cursor, signal).then(
      (event) => this.#tell(signal, event),
      () => this.#tell(signal, { type: 'failed' }),
    )
    return () => abort.abort()
  }

  /** Reads a stream to its end, and answers how it ended. */
  async #readStream(cursor: string | undefined, signal: AbortSignal): Promise<ConnectionEvent> {
    const response = await this.#fetch(this.#options.streamUrl(cursor), 'text/event-stream', signal)
    if (response.status === 204) return { type: 'ended' }
    if (!response.ok || !response.body || !isEventStream(response)) {
      void response.body?.cancel().catch(() => {})
      return this.#failure(response)
    }
    this.#tell(signal, { type: 'opened' })
    const decoder = new TextDecoder()
    const parser = new EventSourceParser({
      onMessage: ({ event, data }) => this.#take(signal, event, data),
      onRetry: (ms) => this.#tell(signal, { type: 'retry', ms }),
    })
    const reader = response.body.getReader()
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        this.#tell(signal, { type: 'bytes' })
        parser.feed(decoder.decode(read.value, { stream: true }))
      }
    } catch (error) {
      void reader.cancel().catch(() => {})
      throw error
    }
    return { type: 'closed' }
  }

  #poll(cursor: string | undefined): () => void {
    const abort = new AbortController()
    const { signal } = abort
    this.#ask(cursor, signal).then(
      (event) => this.#tell(signal, event),
      () => this.#tell(signal, { type: 'failed' }),
    )
    return () => abort.abort()
  }

  async #ask(cursor: string | undefined, signal: AbortSignal): Promise<ConnectionEvent> {
    const response = await this.#fetch(this.#options.pollUrl(cursor), 'application/json', signal)
    if (!response.ok) {
      void response.body?.cancel().catch(() => {})
      return this.#failure(response)
    }
    const answer: unknown = await response.json()
    signal.throwIfAborted()
    this.#options.onHeard?.()
    const { cursor: reached, gap, ended, more } = this.#options.receivePoll(answer)
    if (gap) return { type: 'gap' }
    if (ended) return { type: 'ended', reason: ended }
    return {
      type: 'polled',
      cursor: reached,
      more,
      retryAfterMs: retryAfterMs(response, this.#options.environment.clock.now()),
    }
  }

  #fetch(url: string, accept: string, signal: AbortSignal): Promise<Response> {
    const { environment, headers } = this.#options
    return environment.fetch(url, { headers: { accept, ...headers }, cache: 'no-store', signal })
  }

  #failure(response: Response): ConnectionEvent {
    return {
      type: 'failed',
      status: response.status,
      retryAfterMs: retryAfterMs(response, this.#options.environment.clock.now()),
    }
  }

  /** Hears of the network and of the page. Answers how to stop. */
  #listen(): () => void {
    const { page } = this.#options.environment
    const listeners = {
      online: () => this.#dispatch({ type: 'online' }),
      offline: () => this.#dispatch({ type: 'offline' }),
      visibilitychange: () => {
        if (page?.document?.visibilityState !== 'hidden') this.#dispatch({ type: 'visible' })
      },
      // A page that comes back from the back-forward cache: its streams were cut when it went there.
      pageshow: () => this.#dispatch({ type: 'visible' }),
    }
    for (const [name, listener] of Object.entries(listeners)) page?.addEventListener(name, listener)
    return () => {
      for (const [name, listener] of Object.entries(listeners)) page?.removeEventListener(name, listener)
    }
  }
}

function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') === true
}
