import type { EndReason } from '../shared/wire.ts'

/** How a watcher stands to the server. */
export type ConnectionStatus =
  /** Nothing was heard yet. */
  | 'connecting'
  /** The stream is open, and everything that the server said is here. */
  | 'live'
  /** The stream is mute; what it would say is asked for instead, every few seconds. */
  | 'polling'
  /** The connection was lost; it is tried again. */
  | 'reconnecting'
  /** The device has no network. */
  | 'offline'
  /** The job has ended, and everything of it is here. */
  | 'ended'
  /** There is no such job, or it is somebody else's. */
  | 'not-found'
  /** The access has run out. */
  | 'expired'

/** Where a connection is, and what it remembers. Plain data, made by {@link createConnectionState} and policies alone. */
export interface ConnectionState {
  readonly status: ConnectionStatus
  readonly phase:
    | 'idle'
    /** A stream was asked for; not a byte of it is here. */
    | 'opening'
    | 'streaming'
    /** A poll is under way. */
    | 'asking'
    /** For the timer, to try again. */
    | 'waiting'
    /** For good: the status says why. */
    | 'over'
  /** Where the client is: what the next stream or poll goes on from. */
  readonly cursor: string | undefined
  readonly online: boolean
  /** Tries in a row that brought nothing. */
  readonly failures: number
  /** Refusals of access in a row (401, 403). */
  readonly refusals: number
  /** Answers in a row that there is no such job. */
  readonly missing: number
  /** Streams in a row that were mute where a poll was answered. */
  readonly mutes: number
  /** When the stream was asked for, and when it was last heard: milliseconds. */
  readonly openedAt: number
  readonly heardAt: number
  /** The server's wish: milliseconds before the first try. */
  readonly retryMs: number
  /** No try before this, by the server's `Retry-After`. */
  readonly notBefore: number
  /** No stream before this: it would be mute again. */
  readonly pollUntil: number
}

export type ConnectionEvent =
  | { type: 'start' }
  | { type: 'stop' }
  /** A stream's response is good; nothing of its body is here. */
  | { type: 'opened' }
  /** Bytes came that are no whole message. */
  | { type: 'bytes' }
  | { type: 'message'; cursor?: string | undefined }
  /** A message does not follow from the one before: something is missing. */
  | { type: 'gap' }
  /** The last word on the job; a stream that answers 204 has no reason to give. */
  | { type: 'ended'; reason?: EndReason | undefined }
  /** The stream ended without a last word. */
  | { type: 'closed' }
  /** No answer, or, with a status, an answer that is not what was asked for. */
  | { type: 'failed'; status?: number | undefined; retryAfterMs?: number | undefined }
  /** There is no stream to be had, and it is not known why: an EventSource does not tell. */
  | { type: 'refused' }
  /** A poll was answered. */
  | { type: 'polled'; cursor?: string | undefined; more?: boolean | undefined; retryAfterMs?: number | undefined }
  /** The server's `retry:`. */
  | { type: 'retry'; ms: number }
  | { type: 'timer' }
  | { type: 'online' }
  | { type: 'offline' }
  /** Someone looks at the page again. */
  | { type: 'visible' }

export type ConnectionAction =
  /** Let go of the stream, the poll and the timer, whichever there are. */
  | { do: 'close' }
  | { do: 'open'; cursor: string | undefined }
  | { do: 'poll'; cursor: string | undefined }
  /** Set the timer, in place of the one before. */
  | { do: 'wait'; ms: number }

/**
 * What becomes of a connection when something happens, and what is to be done. Pure.
 *
 * There is at most one stream or poll at a time, and while there is work there is a timer, so no connection waits for ever. What
 * arrives in a phase that does not expect it changes nothing.
 *
 * @param now milliseconds; any clock that goes forward
 * @param random in [0, 1), for jitter
 */
export type ConnectionPolicy = (
  state: ConnectionState,
  event: ConnectionEvent,
  now: number,
  random: number,
) => [ConnectionState, ConnectionAction[]]

/** The server's wish for the wait before the first try, until it says one: milliseconds. */
const RETRY_FIRST_MS = 2_000

/** A connection that was not started. */
export function createConnectionState(cursor?: string): ConnectionState {
  return {
    status: 'connecting',
    phase: 'idle',
    cursor,
    online: true,
    failures: 0,
    refusals: 0,
    missing: 0,
    mutes: 0,
    openedAt: 0,
    heardAt: 0,
    retryMs: RETRY_FIRST_MS,
    notBefore: 0,
    pollUntil: 0,
  }
}
