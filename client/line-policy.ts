import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  createConnectionState,
} from './connection-state.ts'

/** What a policy works on: its own copy of a state. */
export type Draft = { -readonly [K in keyof ConnectionState]: ConnectionState[K] }
type Of<T extends ConnectionEvent['type']> = Extract<ConnectionEvent, { type: T }>

/** Silence after which a stream counts as lost: two and a half of the server's pings. */
const SILENCE_MS = 75_000
/** The same for someone who comes back to the page and is looking at it. */
const SILENCE_SEEN_MS = 40_000
/** How long a stream may be mute after it was asked for: whoever has nothing yet is owed a snapshot at once. */
const MUTE_MS = 8_000
/** The same for a stream that goes on where the client is: there may be nothing to say before the first ping. */
const QUIET_MS = 40_000
/** Mute streams in a row before polling takes over. */
const MUTE_STARTS = 3
/** How long polling takes over, before a stream is tried again. */
const STREAM_AGAIN_MS = 300_000
const POLL_MS = 5_000
const POLL_TIMEOUT_MS = 15_000
/** A stream that lived this long was a good one: its end is no failure of the server's. */
const STEADY_MS = 10_000
/** The longest wait before another try, but for what the server asks for. */
export const RETRY_MOST_MS = 30_000
/** The longest `Retry-After` that is honoured. */
const RETRY_AFTER_MOST_MS = 300_000

/**
 * How a line to a server is kept: opened, watched over, replaced by polls where streams are mute, and tried again when it is lost. What
 * the server says of a job is for others to judge: see `job-policy.ts`. Changes `state`, and answers what is to be done.
 */
export function keepLine(state: Draft, event: ConnectionEvent, now: number, random: number): ConnectionAction[] {
  const { phase } = state
  const hasStream = phase === 'opening' || phase === 'streaming'
  const isAsking = phase === 'asking'
  const isAtWork = hasStream || isAsking || phase === 'waiting'
  switch (event.type) {
    case 'start': {
      if (isAtWork || state.status === 'ended') return []
      const { cursor, retryMs } = state
      return open(Object.assign(state, createConnectionState(cursor), { retryMs }), now)
    }
    case 'stop':
      state.phase = 'idle'
      if (!isAtWork) return []
      state.status = 'connecting'
      return [{ do: 'close' }]
    case 'offline':
      state.online = false
      if (isAtWork) state.status = 'offline'
      return []
    case 'online': {
      const wasOnline = state.online
      state.online = true
      if (wasOnline || !isAtWork) return []
      // A network that comes back has most likely changed under the stream, which then never says another word.
      state.failures = 0
      state.status = 'reconnecting'
      return open(state, now)
    }
    case 'visible':
      if (phase === 'waiting' && now >= state.notBefore) return tryAgain(state, now)
      return phase === 'streaming' && now - state.heardAt >= SILENCE_SEEN_MS ? open(state, now) : []
    case 'timer':
      return onTimer(state, now, random)
    case 'opened':
      return phase === 'opening' ? onOpened(state) : []
    case 'bytes':
      return hasStream ? hear(state, now) : []
    case 'message':
      return hasStream ? onMessage(state, event, now) : []
    case 'polled':
      return isAsking ? onPolled(state, event, now, random) : []
    case 'refused':
      return phase === 'opening' ? poll(state) : []
    case 'closed':
      return hasStream ? onFailed(state, event, now, random) : []
    case 'failed':
      return hasStream || isAsking ? onFailed(state, event, now, random) : []
    default:
      return []
  }
}

export function open(state: Draft, now: number): ConnectionAction[] {
  state.phase = 'opening'
  state.openedAt = state.heardAt = now
  return [{ do: 'close' }, { do: 'open', cursor: state.cursor }, { do: 'wait', ms: MUTE_MS }]
}

function poll(state: Draft): ConnectionAction[] {
  state.phase = 'asking'
  return [{ do: 'close' }, { do: 'poll', cursor: state.cursor }, { do: 'wait', ms: POLL_TIMEOUT_MS }]
}

export function wait(state: Draft, ms: number): ConnectionAction[] {
  state.phase = 'waiting'
  return [{ do: 'close' }, { do: 'wait', ms }]
}

/** What comes after the waiting. */
function tryAgain(state: Draft, now: number): ConnectionAction[] {
  return now < state.pollUntil ? poll(state) : open(state, now)
}

/** Touch is lost: with the server, or, as far as the device knows, with all the world. */
function lose(state: Draft): void {
  state.status = state.online ? 'reconnecting' : 'offline'
}

/** Exponential, and random, so that those who lost the same server do not come back together. */
export function backOff({ retryMs }: ConnectionState, tries: number, random: number): number {
  return Math.min(RETRY_MOST_MS, retryMs * 2 ** Math.min(10, tries - 1)) * (0.5 + random / 2)
}

/** A stream that goes on where the client is counts as live, unless the ones before were mute. */
function onOpened(state: Draft): ConnectionAction[] {
  if (state.cursor === undefined || state.mutes > 0) return []
  if (state.online) state.status = 'live'
  return [{ do: 'wait', ms: QUIET_MS }]
}

/** The first byte ends the wait for it and begins the watch over silence; the ones after it only move the mark. */
function hear(state: Draft, now: number): ConnectionAction[] {
  const isFirst = state.phase === 'opening'
  state.phase = 'streaming'
  state.heardAt = now
  return isFirst ? [{ do: 'wait', ms: SILENCE_MS }] : []
}

function onMessage(state: Draft, { cursor }: Of<'message'>, now: number): ConnectionAction[] {
  state.cursor = cursor ?? state.cursor
  state.status = 'live'
  // What arrives is proof of a network, whatever the device says: it may be all on one machine.
  state.online = true
  state.mutes = state.pollUntil = 0
  return hear(state, now)
}

function onTimer(state: Draft, now: number, random: number): ConnectionAction[] {
  switch (state.phase) {
    case 'opening':
      // Mute. A poll shows something, and tells a stream that is held back from a server that is away.
      return poll(state)
    case 'streaming': {
      const silence = Math.max(0, now - state.heardAt)
      if (silence < SILENCE_MS) return [{ do: 'wait', ms: SILENCE_MS - silence }]
      lose(state)
      return open(state, now)
    }
    case 'asking':
      return fail(state, now, random)
    case 'waiting':
      return tryAgain(state, now)
    default:
      return []
  }
}

function onPolled(state: Draft, event: Of<'polled'>, now: number, random: number): ConnectionAction[] {
  state.cursor = event.cursor ?? state.cursor
  state.online = true
  state.failures = 0
  if (event.more) return poll(state)
  state.mutes += 1
  if (state.mutes < MUTE_STARTS) {
    if (state.status === 'offline') state.status = 'reconnecting'
    return open(state, now)
  }
  if (now >= state.pollUntil) state.pollUntil = now + STREAM_AGAIN_MS
  state.status = 'polling'
  return wait(state, Math.min(RETRY_AFTER_MOST_MS, event.retryAfterMs ?? POLL_MS) * (1 + random / 4))
}

/** A stream that lived was a good one: what failed before it counts no more. Answers whether it was. */
export function forgive(state: Draft, now: number): boolean {
  const isGood = state.phase === 'streaming' && now - state.openedAt >= STEADY_MS
  if (isGood) state.failures = 0
  return isGood
}

function onFailed(state: Draft, event: Of<'closed' | 'failed'>, now: number, random: number): ConnectionAction[] {
  const isGood = forgive(state, now)
  // A stream that lived ends in peace and is followed by another at once; one that did not may be the first of a hot loop.
  if (event.type === 'closed') return isGood ? open(state, now) : fail(state, now, random)
  const { status = 500, retryAfterMs } = event
  // The server answers, though not with a stream (too many of them, a proxy's own page): a poll may fare better.
  if (state.phase === 'opening' && status < 500) return poll(state)
  return fail(state, now, random, retryAfterMs)
}

export function fail(state: Draft, now: number, random: number, retryAfterMs = 0): ConnectionAction[] {
  const asked = Math.min(RETRY_AFTER_MOST_MS, retryAfterMs)
  state.failures += 1
  state.notBefore = now + asked
  lose(state)
  return wait(state, asked + backOff(state, asked > 0 ? 1 : state.failures, random))
}
