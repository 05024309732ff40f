import type { EndReason } from '../../shared/wire/messages.ts'
import type { ConnectionEvent } from './connection-state.ts'

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
