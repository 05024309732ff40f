import { ask } from './ask.ts'
import type { ConnectionOptions } from './connection.ts'
import type { Environment } from './environment.ts'
import { listenTo } from './event-source-stream.ts'
import { readStream } from './fetch-stream.ts'
import { eventOf, type Received } from './received.ts'

/** Where the stream of something is, and how to ask for the same without one. */
export interface TransportOptions {
  /** Where the stream is, from a cursor on. */
  streamUrl(cursor: string | undefined): string
  /** Where to ask for the same when the stream is mute. */
  pollUrl(cursor: string | undefined): string
  /** Headers, `Authorization` for one, that every request needs. With any, streams are read with `fetch`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Takes the parsed answer of a poll and its `Date`; `undefined` for one that is not the server's. */
  receivePoll(answer: unknown, date: string): Received | undefined
  /** Whether all that will ever be said is here. */
  isOver?(): boolean
  /** Told whenever a stream is asked for. */
  onOpen?(): void
  environment: Environment
}

/** The names of the messages that a stream may have. */
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

/** Streams by EventSource, where it will do: it can't send headers. Otherwise by `fetch`, as polls are. */
export function createTransport(options: TransportOptions): Pick<ConnectionOptions, 'open' | 'poll'> {
  const { environment, headers } = options
  return {
    async open(cursor, attempt) {
      options.onOpen?.()
      const { EventSource } = environment
      const url = options.streamUrl(cursor)
      if (headers || !EventSource)
        return readStream(url, headers, environment, attempt, () => options.isOver?.() === true)
      listenTo(new EventSource(url), MESSAGE_NAMES, attempt)
      return undefined
    },
    poll(cursor, { signal }) {
      const init = { headers: { accept: 'application/json', ...headers }, signal }
      return ask(options.pollUrl(cursor), init, environment, (answer, date) => {
        signal.throwIfAborted()
        const received = options.receivePoll(answer, date)
        return received && eventOf(received, 'polled')
      })
    },
  }
}
