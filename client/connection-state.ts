import type { EndReason } from '../shared/wire.ts'
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
  /** The server is there, and does not let pages of this origin in. It is tried again. Told of by the line of elements alone. */
  | 'origin-refused'

/** Where the machine is, and what it remembers. Plain data, made by {@link createConnectionState} and {@link transition} alone. */
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
  /** No answer of the server's; or, with a status, its refusal. */
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

type Step = [ConnectionState, ConnectionAction[]]
type Of<T extends ConnectionEvent['type']> = Extract<ConnectionEvent, { type: T }>

/** The least that the server can wish for. */
const RETRY_LEAST_MS = 100
/** Refusals of access in a row that are believed: a server that is being rolled out may refuse in passing. */
const REFUSALS = 3
/** Answers in a row that there is no such job that are believed. */
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
 * The connection policy: what becomes of a connection when something happens, and what is to be done. Pure.
 *
 * There is at most one stream or poll at a time, and while there is work there is a timer, so no connection waits for ever. What
 * arrives in a phase that does not expect it changes nothing.
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
      // What arrives is proof of a network, whatever the device says: it may be all on one machine.
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

/** Whether there is something that a lost network would end. */
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

/** What comes after the waiting. */
function tryAgain(state: ConnectionState, now: number): Step {
  return now < state.pollUntil ? poll(state) : open(state, now)
}

/** The status of one who lost touch: nothing was ever heard, or it was. */
function lost({ online }: ConnectionState): ConnectionStatus {
  return online ? 'reconnecting' : 'offline'
}

function endStatus(reason: EndReason | undefined): ConnectionStatus {
  if (reason === 'token-expired') return 'expired'
  return reason === 'deleted' ? 'not-found' : 'ended'
}

/** A stream that goes on where the client is counts as live, unless the ones before were mute. */
function onOpened(state: ConnectionState): Step {
  const next = { ...state, refusals: 0, missing: 0 }
  if (state.cursor === undefined || state.mutes > 0) return [next, []]
  return [{ ...next, status: state.online ? 'live' : state.status }, [{ do: 'wait', ms: QUIET_MS }]]
}

/** The first byte ends the wait for it and begins the watch over silence; the ones after it only move the mark. */
function hear(state: ConnectionState, now: number): Step {
  if (state.phase === 'streaming') return [{ ...state, heardAt: now }, []]
  return [{ ...state, phase: 'streaming', heardAt: now }, [{ do: 'wait', ms: SILENCE_MS }]]
}

function onTimer(state: ConnectionState, now: number, random: number): Step {
  switch (state.phase) {
    case 'opening':
      // Mute. A poll shows something, and tells a stream that is held back from a server that is away.
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

/** A gap is made good by going on from where the document is; if that leaves one again, by beginning anew. */
function onGap(state: ConnectionState, now: number, random: number): Step {
  if (state.phase === 'asking') return fail({ ...state, cursor: undefined }, undefined, now, random)
  if (!hasStream(state)) return [state, []]
  const failures = failuresBefore(state, now)
  if (failures === 0) return open({ ...state, failures: 1 }, now)
  return fail({ ...state, failures, cursor: undefined }, undefined, now, random)
}

/** The failures that count when a stream ends: none, if it was a good one. */
function failuresBefore(state: ConnectionState, now: number): number {
  return state.phase === 'streaming' && now - state.openedAt >= STEADY_MS ? 0 : state.failures
}

/** A stream that lived ends in peace and is followed by another at once; one that did not may be the first of a hot loop. */
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
  // The server answers, though not with a stream, of which there may be too many: a poll may fare better.
  if (state.phase === 'opening' && status !== undefined && status < 500) return poll(state)
  return fail({ ...state, failures: failuresBefore(state, now) }, retryAfterMs, now, random)
}

function fail(state: ConnectionState, retryAfterMs: number | undefined, now: number, random: number): Step {
  const failures = state.failures + 1
  const asked = Math.min(RETRY_AFTER_MOST_MS, retryAfterMs ?? 0)
  const ms = asked + backOff(state.retryMs, asked > 0 ? 1 : failures, random)
  return wait({ ...state, failures, notBefore: now + asked, status: lost(state) }, ms)
}

/** A network that comes back has most likely changed under the stream, which then never says another word. */
function comeOnline(state: ConnectionState, now: number): Step {
  if (state.online || !isAtWork(state)) return [{ ...state, online: true }, []]
  return open({ ...state, online: true, failures: 0, status: 'reconnecting' }, now)
}

function comeBack(state: ConnectionState, now: number): Step {
  if (state.phase === 'waiting' && now >= state.notBefore) return tryAgain(state, now)
  if (state.phase === 'streaming' && now - state.heardAt >= SILENCE_SEEN_MS) return open(state, now)
  return [state, []]
}
