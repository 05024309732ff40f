import { readJson, readProblem } from '../../shared/wire/answers.ts'
import { FOREIGN_WAIT_MS, retryAfterMs } from '../../shared/wire/retry-after.ts'
import { type Attempt, type ConnectionOptions, eventOf, type Received } from './connection.ts'
import type { ConnectionEvent } from './connection-state.ts'
import type { Environment, EventSourceLike } from './environment.ts'
import { EventSourceParser } from './event-source-parser.ts'
import { MESSAGE_NAMES } from './message-names.ts'
import { RETRY_AFTER_MAX_MS } from './timeouts.ts'

/** Requests with a credential. */
export interface ClientRequests {
  /** Opens a stream. Returns how it ended, unless that is reported to the attempt. */
  open(url: string, attempt: Attempt): Promise<ConnectionEvent | undefined>
  /** Requests JSON, as {@link requestJson} does. */
  request: typeof requestJson
}

/** The URLs of a stream and of its polling fallback. */
export interface TransportOptions {
  /** The stream, from a cursor. */
  streamUrl(cursor: string | undefined): string
  /** The polling fallback, from a cursor. */
  pollUrl(cursor: string | undefined): string
  requests: ClientRequests
  /** Takes the parsed answer of a poll and its `Date`; `undefined` for one that is not the server's. */
  receivePoll(answer: unknown, date: string): Received | undefined
  /** Called whenever a stream is requested. */
  onOpen?(): void
  environment: Environment
}

/** Opens streams, and polls, from cursors. */
export function createTransport(options: TransportOptions): Pick<ConnectionOptions, 'open' | 'poll'> {
  const { environment, requests } = options
  return {
    async open(cursor, attempt) {
      options.onOpen?.()
      return requests.open(options.streamUrl(cursor), attempt)
    },
    poll(cursor, { signal }) {
      return requests.request(options.pollUrl(cursor), { signal }, environment, (answer, date) => {
        signal.throwIfAborted()
        const received = options.receivePoll(answer, date)
        return received && eventOf(received, 'polled')
      })
    },
  }
}

/** Opens a stream with EventSource, or, where headers are needed, with `fetch`. Returns how it ended, unless that is reported to the attempt. */
export async function openStream(
  url: string,
  headers: Readonly<Record<string, string>> | undefined,
  environment: Environment,
  attempt: Attempt,
): Promise<ConnectionEvent | undefined> {
  const { EventSource } = environment
  if (headers || !EventSource) return readStream(url, headers, environment, attempt)
  takeMessages(new EventSource(url), MESSAGE_NAMES, attempt)
  return undefined
}

/** `EventSource.CLOSED`: it will not try again by itself. */
const CLOSED = 2

/**
 * Takes the messages of an EventSource and reports its events. It is closed at the first error, because EventSource gives up for good at
 * the first answer that is not 200.
 *
 * @param names of the messages: EventSource delivers only named listeners their messages
 */
export function takeMessages(source: EventSourceLike, names: readonly string[], { signal, tell, take }: Attempt): void {
  for (const name of names) source.addEventListener(name, ({ data }) => take(name, data))
  source.onopen = () => tell({ type: 'opened' })
  source.onerror = () => tell(source.readyState === CLOSED ? { type: 'failed', status: 0 } : { type: 'closed' })
  signal.addEventListener('abort', () => source.close())
}

/**
 * Reads a stream with `fetch`, to its end: what an EventSource does where there is none, or where headers are needed. Returns how it ended.
 */
async function readStream(
  url: string,
  headers: Readonly<Record<string, string>> | undefined,
  environment: Environment,
  { signal, tell, take }: Attempt,
): Promise<ConnectionEvent> {
  const response = await environment.fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    cache: 'no-store',
    signal,
  })
  if (!response.ok || !response.body || !isEventStream(response)) return outcomeOf(response, environment)
  tell({ type: 'opened' })
  const decoder = new TextDecoder()
  const parser = new EventSourceParser({
    onMessage: ({ event, data }) => take(event, data),
    onRetry: (ms) => tell({ type: 'retry', ms }),
  })
  const reader = response.body.getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      tell({ type: 'bytes' })
      parser.feed(decoder.decode(read.value, { stream: true }))
    }
  } catch (error) {
    void reader.cancel().catch(() => {})
    throw error
  }
  return { type: 'closed' }
}

function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') === true
}

/**
 * Requests JSON.
 *
 * @param take turns the parsed answer and its `Date`, which may be empty, into an event of the policy; `undefined` when it is not the server's
 * @returns that event with the server's `Retry-After`, or the failure
 */
export async function requestJson(
  url: string,
  init: RequestInit,
  environment: Environment,
  take: (answer: unknown, date: string) => ConnectionEvent | undefined,
): Promise<ConnectionEvent> {
  const response = await environment.fetch(url, { cache: 'no-store', ...init })
  const date = response.headers.get('date') ?? ''
  const taken = response.ok ? take(await readJson(response), date) : undefined
  return outcomeOf(response, environment, taken)
}

/** An event with its `Retry-After`: without another, the failure of the response, with a status only if the server itself refused. */
async function outcomeOf(
  response: Response,
  { clock }: Environment,
  taken?: ConnectionEvent,
): Promise<ConnectionEvent> {
  const ours = taken ?? (await readProblem(response))
  const event = taken ?? { type: 'failed', status: ours && response.status }
  const mostMs = ours ? RETRY_AFTER_MAX_MS : FOREIGN_WAIT_MS
  return Object.assign(event, { retryAfterMs: retryAfterMs(response, clock.now(), mostMs) })
}
