import { ask } from './ask.ts'
import type { ConnectionOptions } from './connection.ts'
import type { Environment } from './environment.ts'
import { listenTo } from './event-source-stream.ts'
import { readStream } from './fetch-stream.ts'
import { eventOf, type Received } from './received.ts'

/** The URLs of a stream and of its polling fallback. */
export interface TransportOptions {
  /** The stream, from a cursor. */
  streamUrl(cursor: string | undefined): string
  /** The polling fallback, from a cursor. */
  pollUrl(cursor: string | undefined): string
  /** Headers, `Authorization` for one, that every request needs. With any, streams are read with `fetch`. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Takes the parsed answer of a poll and its `Date`; `undefined` for one that is not the server's. */
  receivePoll(answer: unknown, date: string): Received | undefined
  /** Whether the document is complete and final. */
  isOver?(): boolean
  /** Called whenever a stream is requested. */
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

/** Opens streams with EventSource, or with `fetch` where headers are needed. Polls with `fetch`. */
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
