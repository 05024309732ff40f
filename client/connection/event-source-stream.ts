import type { Attempt } from './connection.ts'
import type { EventSourceLike } from './environment.ts'

/** `EventSource.CLOSED`: it will not try again by itself. */
const CLOSED = 2

/**
 * Opens a stream with EventSource and reports its events. It is closed at the first error, because EventSource gives up for good at the
 * first answer that is not 200.
 *
 * @param names of the messages: EventSource delivers only named listeners their messages
 */
export function listenTo(source: EventSourceLike, names: readonly string[], { signal, tell, take }: Attempt): void {
  let isOpen = false
  for (const name of names) source.addEventListener(name, ({ data }) => take(name, data))
  source.onopen = () => {
    isOpen = true
    tell({ type: 'opened' })
  }
  source.onerror = () => tell({ type: isOpen ? 'closed' : source.readyState === CLOSED ? 'refused' : 'failed' })
  signal.addEventListener('abort', () => source.close())
}
