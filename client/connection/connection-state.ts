import type { EndReason } from '../../shared/wire/messages.ts'
import {
  backOff,
  MUTE_MS,
  MUTE_STARTS,
  POLL_MS,
  POLL_TIMEOUT_MS,
  QUIET_MS,
  RETRY_AFTER_MOST_MS,
  RETRY_FIRST_MS,
  RETRY_MOST_MS,
  SILENCE_MS,
  SILENCE_SEEN_MS,
  STEADY_MS,
  STREAM_AGAIN_MS,
} from './patience.ts'

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

/** The state of the machine. Plain data, made by {@link createConnectionState} and {@link transition} alone. */
export interface ConnectionState {
  readonly status: ConnectionStatus
  readonly phase:
    | 'idle'
    /** A stream was requested; no byte has arrived. */
    | 'opening'
    | 'streaming'
    /** A poll is under way. */
    | 'asking'
    /** For the timer of the next try. */
    | 'waiting'
    /** Ended; the status says why. */
    | 'over'
  /** The cursor that the next stream or poll starts from. */
  readonly cursor: string | undefined
  readonly online: boolean
  /** Failed tries in a row. */
  readonly failures: number
  /** 401 and 403 in a row. */
  readonly refusals: number
  /** 404 in a row. */
  readonly missing: number
  /** Mute streams in a row while polls were answered. */
  readonly mutes: number
  /** When the stream was requested, and when its last byte arrived: milliseconds. */
  readonly openedAt: number
  readonly heardAt: number
  /** The server's `retry:`: milliseconds before the first try. */
  readonly retryMs: number
  /** No try before this, by the server's `Retry-After`. */
  readonly notBefore: number
  /** No stream before this: it would be mute again. */
  readonly pollUntil: number
}

export type ConnectionEvent =
  | { type: 'start' }
  | { type: 'stop' }
  /** The response of a stream has arrived, without its body. */
  | { type: 'opened' }
  /** Bytes of an incomplete message arrived. */
  | { type: 'bytes' }
  | { type: 'message'; cursor?: string | undefined }
  /** A message does not continue the document. */
  | { type: 'gap' }
  /** The job has ended; a 204 gives no reason. */
  | { type: 'ended'; reason?: EndReason | undefined }
  /** The stream closed without `end`. */
  | { type: 'closed' }
  /** No answer of the server, or, with a status, its refusal. */
  | { type: 'failed'; status?: number | undefined; retryAfterMs?: number | undefined }
  /** The stream failed without a reason, as EventSource does not give one. */
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
  /** Close the stream, the poll and the timer. */
  | { do: 'close' }
  | { do: 'open'; cursor: string | undefined }
  | { do: 'poll'; cursor: string | undefined }
  /** Set the timer, replacing the previous one. */
  | { do: 'wait'; ms: number }

type Step = [ConnectionState, ConnectionAction[]]
type Of<T extends ConnectionEvent['type']> = Extract<ConnectionEvent, { type: T }>

/** The shortest `retry:` that is accepted: milliseconds. */
const RETRY_LEAST_MS = 100
/** 401 or 403 in a row before they are believed: a server that is being deployed may refuse for a moment. */
const REFUSALS = 3
/** 404 in a row before they are believed. */
const MISSING = 2

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

/**
 * The connection policy: from a state and an event to the next state and the actions. Pure.
 *
 * There is at most one stream or poll at a time, and always a timer with it, so no connection waits for ever. An event that a phase does
 * not expect changes nothing.
 *
 * @param now milliseconds; any clock that goes forward
 * @param random in [0, 1), for jitter
 */
export function transition(state: ConnectionState, event: ConnectionEvent, now: number, random: number): Step {
  switch (event.type) {
    case 'start':
      if (state.phase !== 'idle' && state.phase !== 'over') return [state, []]
      if (state.status === 'ended') return [state, []]
      return open({ ...createConnectionState(state.cursor), retryMs: state.retryMs }, now)
    case 'stop':
      return state.phase === 'idle' || state.phase === 'over'
        ? [{ ...state, phase: 'idle' }, []]
        : [{ ...state, phase: 'idle', status: 'connecting' }, [{ do: 'close' }]]
    case 'retry':
      return [{ ...state, retryMs: Math.min(RETRY_MOST_MS, Math.max(RETRY_LEAST_MS, event.ms)) }, []]
    case 'offline':
      return isAtWork(state) ? [{ ...state, online: false, status: 'offline' }, []] : [{ ...state, online: false }, []]
    case 'online':
      return comeOnline(state, now)
    case 'visible':
      return comeBack(state, now)
    case 'timer':
      return onTimer(state, now, random)
    case 'opened':
      return state.phase === 'opening' ? onOpened(state) : [state, []]
    case 'bytes':
      return hasStream(state) ? hear(state, now) : [state, []]
    case 'message': {
      if (!hasStream(state)) return [state, []]
      const [heard, actions] = hear(state, now)
      const cursor = event.cursor ?? state.cursor
      // A message proves that there is a network, whatever the device reports: the server may be local.
      return [
        { ...heard, cursor, status: 'live', online: true, refusals: 0, missing: 0, mutes: 0, pollUntil: 0 },
        actions,
      ]
    }
    case 'ended':
      return hasStream(state) || state.phase === 'asking' ? finish(state, endStatus(event.reason)) : [state, []]
    case 'polled':
      return state.phase === 'asking' ? onPolled(state, event, now, random) : [state, []]
    case 'gap':
      return onGap(state, now, random)
    case 'closed':
      return onClosed(state, now, random)
    case 'refused':
      return state.phase === 'opening' ? poll(state) : [state, []]
    case 'failed':
      return onFailed(state, event, now, random)
  }
}

/** Whether the connection is active. */
function isAtWork({ phase }: ConnectionState): boolean {
  return phase !== 'idle' && phase !== 'over'
}

function hasStream({ phase }: ConnectionState): boolean {
  return phase === 'opening' || phase === 'streaming'
}

function open(state: ConnectionState, now: number): Step {
  return [
    { ...state, phase: 'opening', openedAt: now, heardAt: now },
    [{ do: 'close' }, { do: 'open', cursor: state.cursor }, { do: 'wait', ms: MUTE_MS }],
  ]
}

function poll(state: ConnectionState): Step {
  return [
    { ...state, phase: 'asking' },
    [{ do: 'close' }, { do: 'poll', cursor: state.cursor }, { do: 'wait', ms: POLL_TIMEOUT_MS }],
  ]
}

function wait(state: ConnectionState, ms: number): Step {
  return [{ ...state, phase: 'waiting' }, [{ do: 'close' }, { do: 'wait', ms }]]
}

function finish(state: ConnectionState, status: ConnectionStatus): Step {
  return [{ ...state, phase: 'over', status }, [{ do: 'close' }]]
}

/** The next try: a poll, or a stream. */
function tryAgain(state: ConnectionState, now: number): Step {
  return now < state.pollUntil ? poll(state) : open(state, now)
}

/** The status while disconnected. */
function lost({ online }: ConnectionState): ConnectionStatus {
  return online ? 'reconnecting' : 'offline'
}

function endStatus(reason: EndReason | undefined): ConnectionStatus {
  if (reason === 'token-expired') return 'expired'
  return reason === 'deleted' ? 'not-found' : 'ended'
}

/** A resumed stream counts as live at once, unless the previous ones were mute. */
function onOpened(state: ConnectionState): Step {
  const next = { ...state, refusals: 0, missing: 0 }
  if (state.cursor === undefined || state.mutes > 0) return [next, []]
  return [{ ...next, status: state.online ? 'live' : state.status }, [{ do: 'wait', ms: QUIET_MS }]]
}

/** The first byte starts the silence time-out; later ones only move its start. */
function hear(state: ConnectionState, now: number): Step {
  if (state.phase === 'streaming') return [{ ...state, heardAt: now }, []]
  return [{ ...state, phase: 'streaming', heardAt: now }, [{ do: 'wait', ms: SILENCE_MS }]]
}

function onTimer(state: ConnectionState, now: number, random: number): Step {
  switch (state.phase) {
    case 'opening':
      // Mute. A poll shows the job, and tells a buffering proxy from a server that is away.
      return poll(state)
    case 'streaming': {
      const silence = Math.max(0, now - state.heardAt)
      if (silence < SILENCE_MS) return [state, [{ do: 'wait', ms: SILENCE_MS - silence }]]
      return open({ ...state, status: lost(state) }, now)
    }
    case 'asking':
      return fail(state, undefined, now, random)
    case 'waiting':
      return tryAgain(state, now)
    default:
      return [state, []]
  }
}

function onPolled(state: ConnectionState, event: Of<'polled'>, now: number, random: number): Step {
  const next = { ...state, cursor: event.cursor ?? state.cursor, online: true, failures: 0, refusals: 0, missing: 0 }
  if (event.more) return poll(next)
  const mutes = state.mutes + 1
  if (mutes < MUTE_STARTS) {
    return open({ ...next, mutes, status: state.status === 'offline' ? 'reconnecting' : state.status }, now)
  }
  const pollUntil = now < state.pollUntil ? state.pollUntil : now + STREAM_AGAIN_MS
  const ms = Math.min(RETRY_AFTER_MOST_MS, event.retryAfterMs ?? POLL_MS)
  return wait({ ...next, mutes, pollUntil, status: 'polling' }, ms * (1 + random / 4))
}

/** After a gap the stream resumes from the document's cursor; after a second one it starts without a cursor. */
function onGap(state: ConnectionState, now: number, random: number): Step {
  if (state.phase === 'asking') return fail({ ...state, cursor: undefined }, undefined, now, random)
  if (!hasStream(state)) return [state, []]
  const failures = failuresBefore(state, now)
  if (failures === 0) return open({ ...state, failures: 1 }, now)
  return fail({ ...state, failures, cursor: undefined }, undefined, now, random)
}

/** Failures to count when a stream ends: none if it was steady. */
function failuresBefore(state: ConnectionState, now: number): number {
  return state.phase === 'streaming' && now - state.openedAt >= STEADY_MS ? 0 : state.failures
}

/** A steady stream that closes is reopened at once; a short one counts as a failure, to avoid a hot loop. */
function onClosed(state: ConnectionState, now: number, random: number): Step {
  if (!hasStream(state)) return [state, []]
  if (state.phase === 'streaming' && now - state.openedAt >= STEADY_MS) return open({ ...state, failures: 0 }, now)
  return fail(state, undefined, now, random)
}

function onFailed(state: ConnectionState, event: Of<'failed'>, now: number, random: number): Step {
  const { status, retryAfterMs } = event
  if (state.phase !== 'asking' && !hasStream(state)) return [state, []]
  if (status === 404) {
    const missing = state.missing + 1
    if (missing >= MISSING) return finish({ ...state, missing }, 'not-found')
    return wait({ ...state, missing }, backOff(state.retryMs, 1, random))
  }
  if (status === 401 || status === 403) {
    const refusals = state.refusals + 1
    if (refusals >= REFUSALS) return finish({ ...state, refusals }, 'expired')
    return wait({ ...state, refusals }, backOff(state.retryMs, refusals, random))
  }
  // The server answers, but refuses a stream, perhaps for too many: a poll may work.
  if (state.phase === 'opening' && status !== undefined && status < 500) return poll(state)
  return fail({ ...state, failures: failuresBefore(state, now) }, retryAfterMs, now, random)
}

function fail(state: ConnectionState, retryAfterMs: number | undefined, now: number, random: number): Step {
  const failures = state.failures + 1
  const asked = Math.min(RETRY_AFTER_MOST_MS, retryAfterMs ?? 0)
  const ms = asked + backOff(state.retryMs, asked > 0 ? 1 : failures, random)
  return wait({ ...state, failures, notBefore: now + asked, status: lost(state) }, ms)
}

/** After a network change an open stream is most likely dead without an error. */
function comeOnline(state: ConnectionState, now: number): Step {
  if (state.online || !isAtWork(state)) return [{ ...state, online: true }, []]
  return open({ ...state, online: true, failures: 0, status: 'reconnecting' }, now)
}

function comeBack(state: ConnectionState, now: number): Step {
  if (state.phase === 'waiting' && now >= state.notBefore) return tryAgain(state, now)
  if (state.phase === 'streaming' && now - state.heardAt >= SILENCE_SEEN_MS) return open(state, now)
  return [state, []]
}
