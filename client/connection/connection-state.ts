import { backOff } from '../../shared/time/backoff.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import {
  MUTE_MS,
  MUTE_STARTS,
  POLL_MS,
  POLL_TIMEOUT_MS,
  QUIET_MS,
  RETRY_FIRST_MS,
  RETRY_MAX_MS,
  SILENCE_MS,
  SILENCE_SEEN_MS,
  STEADY_MS,
  STREAM_AGAIN_MS,
  UNSEEN_MS,
} from './timeouts.ts'

/** The status of a connection, as people see it. */
export type ConnectionStatus =
  /** No message yet. */
  | 'connecting'
  /** The stream is open and up to date. */
  | 'live'
  /** The stream delivers nothing, so the client polls every few seconds. */
  | 'polling'
  /** The connection was lost; the client reconnects. */
  | 'reconnecting'
  /** The device has no network. */
  | 'offline'
  /** The job has ended, and the document is complete. */
  | 'ended'
  /** The job does not exist, or belongs to somebody else. */
  | 'not-found'
  /** The token or session has expired. */
  | 'expired'
  /** The server answers, but does not allow this origin. The client keeps trying. Only the shared connection of elements has this status. */
  | 'origin-refused'

/** What is under way. */
export type ConnectionPhase =
  /** Nothing: not started, stopped or ended; the status says which. */
  | 'idle'
  /** A stream was requested; no byte has arrived. */
  | 'open'
  /** The stream delivers. */
  | 'stream'
  | 'poll'
  /** The wait before the next try. */
  | 'wait'

/** The state of the machine. Plain data, made by {@link createConnectionState} and {@link transition} alone. */
export interface ConnectionState {
  readonly status: ConnectionStatus
  readonly phase: ConnectionPhase
  /** The cursor that the next stream or poll starts from. */
  readonly cursor: string | undefined
  readonly online: boolean
  /** Failed tries in a row. */
  readonly failures: number
  /** 401, 403 and 404 in a row. Only `job-connection-state.ts` counts them. */
  readonly refusals?: number
  /** Mute streams in a row while polls were answered. */
  readonly mutes: number
  /** When the stream was requested, and when its last byte arrived: milliseconds. */
  readonly openedAt: number
  readonly heardAt: number
  /** The server's `retry:`: milliseconds before the first try. */
  readonly retryMs: number
  /** No try before this, by `Retry-After`. */
  readonly notBefore: number
  /** No stream before this: it would be mute again. */
  readonly pollUntil: number
}

/** What happens to a connection. */
export type ConnectionEvent =
  | { type: 'start' }
  | { type: 'stop' }
  /** What is followed, or the token, has changed: another stream. */
  | { type: 'again' }
  /** The response of a stream has arrived, without its body. */
  | { type: 'opened' }
  /** Bytes of an incomplete message arrived. */
  | { type: 'bytes' }
  | { type: 'message'; cursor?: string | undefined }
  /** The stream closed without `end`. */
  | { type: 'closed' }
  /**
   * No answer of the server, or, with a status, its refusal. EventSource does not tell the status, which is 0 then. `transport.ts` limits
   * the wait of `Retry-After`.
   */
  | { type: 'failed'; status?: number | undefined; retryAfterMs?: number | undefined }
  /** A poll was answered. */
  | { type: 'polled'; cursor?: string | undefined; more?: boolean | undefined; retryAfterMs?: number | undefined }
  | { type: 'timer' }
  | { type: 'online' }
  | { type: 'offline' }
  /** The page is visible again. */
  | { type: 'visible' }
  /** A ping arrived on a hidden page: everything is up to date. */
  | { type: 'unseen' }
  // Those of `job-connection-state.ts`:
  /** A message does not continue the document. */
  | { type: 'gap' }
  /** What is followed has ended; a 204 gives no reason. */
  | { type: 'ended'; reason?: EndReason | undefined }
  /** The server's `retry:`. */
  | { type: 'retry'; ms: number }

/**
 * The next state, the phase that begins, if any, and its time-out, in milliseconds. A phase that begins replaces what is under way, but
 * for `stream`, which only replaces the time-out.
 */
export type ConnectionStep = [state: ConnectionState, phase?: ConnectionPhase | undefined, ms?: number | undefined]
type Changes = Partial<ConnectionState>

/** A connection that was not started. */
export function createConnectionState(cursor?: string): ConnectionState {
  return {
    status: 'connecting',
    phase: 'idle',
    cursor,
    online: true,
    failures: 0,
    mutes: 0,
    openedAt: 0,
    heardAt: 0,
    retryMs: RETRY_FIRST_MS,
    notBefore: 0,
    pollUntil: 0,
  }
}

/**
 * The connection policy: from a state and an event to the next state and the action. Pure. `job-connection-state.ts` adds what a
 * stream of one document needs; it is apart because the element, which has to be small, does without.
 *
 * There is at most one stream or poll at a time, and always a timer with it, so no connection waits for ever. An event that a phase does
 * not expect changes nothing.
 *
 * @param now milliseconds; any clock that goes forward
 * @param random in [0, 1), for jitter
 */
export function transition(
  state: ConnectionState,
  event: ConnectionEvent,
  now: number,
  random: number,
): ConnectionStep {
  const { phase, status, online, pollUntil } = state
  const isAtWork = phase !== 'idle'
  const hasStream = phase === 'open' || phase === 'stream'
  /** Its end is no failure, and resets the count of failures. */
  const isSteady = phase === 'stream' && now - state.openedAt >= STEADY_MS
  /** The status while disconnected. */
  const lost = online ? 'reconnecting' : 'offline'

  const begin = (next: ConnectionPhase, ms: number | undefined, changes?: Changes): ConnectionStep => [
    { ...state, ...changes, phase: next },
    next,
    ms,
  ]
  const open = (changes?: Changes) => begin('open', MUTE_MS, { ...changes, openedAt: now, heardAt: now })
  const poll = () => begin('poll', POLL_TIMEOUT_MS)
  const tryAgain = () => (now < pollUntil ? poll() : open())
  /** Something arrived: the silence starts anew. */
  const hear = (changes?: Changes) => begin('stream', SILENCE_MS, { ...changes, heardAt: now })
  const fail = (asked = 0) => {
    const failures = (isSteady ? 0 : state.failures) + 1
    const ms = asked + backOff(asked > 0 ? 1 : failures, state.retryMs, RETRY_MAX_MS, random)
    return begin('wait', ms, { failures, notBefore: now + asked, status: lost })
  }

  switch (event.type) {
    case 'start':
    case 'again':
      if (!isAtWork) return open(createConnectionState(state.cursor))
      // A wait that the server asked for goes on.
      if (event.type === 'again' && now >= state.notBefore) return tryAgain()
      break
    case 'stop':
      if (isAtWork) return begin('idle', undefined, { status: 'connecting' })
      break
    case 'offline':
      return [{ ...state, online: false, status: isAtWork ? 'offline' : status }]
    case 'online':
      // After a network change an open stream is most likely dead without an error.
      if (isAtWork && !online) return open({ online: true, failures: 0, status: 'reconnecting' })
      return [{ ...state, online: true }]
    case 'visible':
      if (phase === 'wait' && now >= state.notBefore) return tryAgain()
      if (phase === 'stream' && now - state.heardAt >= SILENCE_SEEN_MS) return open({ failures: 0 })
      break
    case 'unseen':
      // Visible tabs keep the connection. On a hidden page a title or notification is late by this wait at most.
      if (hasStream) return begin('wait', UNSEEN_MS, { failures: 0 })
      break
    case 'timer':
      // A mute stream. A poll shows the job, and tells a buffering proxy from a server that is away.
      if (phase === 'open') return poll()
      // Silence outlasts `STEADY_MS`, so the stream was steady: failures before it no longer count.
      if (phase === 'stream') return open({ status: lost, failures: 0 })
      if (phase === 'wait') return tryAgain()
      if (phase === 'poll') return fail()
      break
    case 'opened':
      // A resumed stream counts as live at once, unless the previous ones were mute.
      if (phase !== 'open' || state.cursor === undefined || state.mutes > 0) break
      return [{ ...state, status: online ? 'live' : status }, 'stream', QUIET_MS]
    case 'bytes':
      if (hasStream) return hear()
      break
    case 'message':
      if (!hasStream) break
      // A message proves that there is a network, whatever the device reports: the server may be local.
      return hear({ status: 'live', online: true, mutes: 0, pollUntil: 0 })
    case 'closed':
      if (!hasStream) break
      // A steady stream is reopened at once; a short one counts as a failure, to avoid a hot loop.
      return isSteady ? open({ failures: 0 }) : fail()
    case 'polled': {
      if (phase !== 'poll') break
      const changes = { online: true, failures: 0, mutes: state.mutes + 1 }
      if (changes.mutes < MUTE_STARTS) return open({ ...changes, status: online ? status : 'reconnecting' })
      const ms = (event.retryAfterMs || POLL_MS) * (1 + random / 4)
      return begin('wait', ms, {
        ...changes,
        pollUntil: now < pollUntil ? pollUntil : now + STREAM_AGAIN_MS,
        status: 'polling',
      })
    }
    case 'failed':
      // The server answers, but refuses a stream, perhaps for too many: a poll may work.
      if (phase === 'open' && event.status !== undefined && event.status < 500) return poll()
      if (hasStream || phase === 'poll') return fail(event.retryAfterMs)
  }
  return [state]
}

/** The status after the end of a job; a 204 gives no reason. */
export function statusOfEnd(reason: EndReason | undefined): ConnectionStatus {
  if (reason === 'token-expired') return 'expired'
  return reason === 'deleted' ? 'not-found' : 'ended'
}

/** The status after the server refused to show a job, with 401, 403 or 404; `undefined` for any other answer. */
export function statusOfRefusal(status: number | undefined): 'not-found' | 'expired' | undefined {
  return status === 404 ? 'not-found' : status === 401 || status === 403 ? 'expired' : undefined
}
