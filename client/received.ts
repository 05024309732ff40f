import type { EndReason } from '../shared/wire.ts'
import type { ConnectionEvent } from './connection-state.ts'

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

/** What that is to the policy. */
export function eventOf({ cursor, gap, ended, more }: Received, type: 'message' | 'polled'): ConnectionEvent {
  if (gap) return { type: 'gap' }
  if (ended) return { type: 'ended', reason: ended }
  return { type, cursor, more }
}
