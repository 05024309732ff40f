import { failureOf } from './ask.ts'
import type { Attempt } from './connection.ts'
import type { ConnectionEvent } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { EventSourceParser } from './event-source-parser.ts'

/** Reads a stream with `fetch`, to its end: what an EventSource does where there is none, or where headers are needed. Answers how it ended.
 *
 * @param isOver whether the document is complete
 */
export async function readStream(
  url: string,
  headers: Readonly<Record<string, string>> | undefined,
  environment: Environment,
  { signal, tell, take }: Attempt,
  isOver: () => boolean,
): Promise<ConnectionEvent> {
  const response = await environment.fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    cache: 'no-store',
    signal,
  })
  // A proxy may answer 204 too; the server does so only to clients that have the end.
  if (response.status === 204 && isOver()) return { type: 'ended' }
  if (!response.ok || !response.body || !isEventStream(response)) return failureOf(response, environment)
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
