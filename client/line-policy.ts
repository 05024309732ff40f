import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionPolicy,
  type ConnectionState,
  createConnectionState,
} from './connection-state.ts'

/** What a policy works on: its own copy of a state. */
export type Draft = { -readonly [K in keyof ConnectionState]: ConnectionState[K] }

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
 * the server says of a job is for others to judge: see `job-policy.ts`.
 */
export const keepLine: ConnectionPolicy = (state, event, now, random) => {
  const draft = { ...state }
  return [draft, change(draft, event, now, random)]
}

function change(state: Draft, event: ConnectionEvent, now: number, random: number): ConnectionAction[] {
  const { phase, online } = state
  const { open, poll, wait, fail, lose, forgive } = movesOf(state, now, random)
  const isOpening = phase === 'opening'
  const hasStream = isOpening || phase === 'streaming'
  const isAsking = phase === 'asking'
  const isWaiting = phase === 'waiting'
  const isAtWork = hasStream || isAsking || isWaiting
  const silence = Math.max(0, now - state.heardAt)
  /** What comes after the waiting. */
  const tryAgain = () => (now < state.pollUntil ? poll() : open())
  /** The first byte ends the wait for it and begins the watch over silence; the ones after it only move the mark. */
  const hear = (): ConnectionAction[] => {
    state.phase = 'streaming'
    state.heardAt = now
    return isOpening ? [{ do: 'wait', ms: SILENCE_MS }] : []
  }

  switch (event.type) {
    case 'start':
      if (isAtWork || state.status === 'ended') break
      Object.assign(state, createConnectionState(state.cursor), { retryMs: state.retryMs })
      return open()
    case 'stop':
      state.phase = 'idle'
      if (!isAtWork) break
      state.status = 'connecting'
      return [{ do: 'close' }]
    case 'offline':
      state.online = false
      if (isAtWork) lose()
      break
    case 'online':
      state.online = true
      if (online || !isAtWork) break
      // A network that comes back has most likely changed under the stream, which then never says another word.
      state.failures = 0
      lose()
      return open()
    case 'visible':
      if (isWaiting && now >= state.notBefore) return tryAgain()
      if (phase === 'streaming' && silence >= SILENCE_SEEN_MS) return open()
      break
    case 'timer':
      if (isWaiting) return tryAgain()
      if (isAsking) return fail()
      // Mute. A poll shows something, and tells a stream that is held back from a server that is away.
      if (isOpening) return poll()
      if (!hasStream) break
      if (silence < SILENCE_MS) return [{ do: 'wait', ms: SILENCE_MS - silence }]
      lose()
      return open()
    case 'opened':
      // A stream that goes on where the client is counts as live, unless the ones before were mute.
      if (!isOpening || state.cursor === undefined || state.mutes > 0) break
      if (online) state.status = 'live'
      return [{ do: 'wait', ms: QUIET_MS }]
    case 'bytes':
      return hasStream ? hear() : []
    case 'message':
      if (!hasStream) break
      state.cursor = event.cursor ?? state.cursor
      state.status = 'live'
      // What arrives is proof of a network, whatever the device says: it may be all on one machine.
      state.online = true
      state.mutes = state.pollUntil = 0
      return hear()
    case 'polled':
      if (!isAsking) break
      state.cursor = event.cursor ?? state.cursor
      state.online = true
      state.failures = 0
      if (event.more) return poll()
      state.mutes += 1
      if (state.mutes < MUTE_STARTS) {
        if (!online) lose()
        return open()
      }
      if (now >= state.pollUntil) state.pollUntil = now + STREAM_AGAIN_MS
      state.status = 'polling'
      return wait(Math.min(RETRY_AFTER_MOST_MS, event.retryAfterMs ?? POLL_MS) * (1 + random / 4))
    case 'refused':
      return isOpening ? poll() : []
    case 'closed':
      // A stream that lived ends in peace and is followed by another at once; one that did not may be the first of a hot loop.
      if (hasStream) return forgive() ? open() : fail()
      break
    case 'failed':
      if (!hasStream && !isAsking) break
      // The server answers, though not with a stream (too many of them, a proxy's own page): a poll may fare better.
      if (isOpening && event.status !== undefined && event.status < 500) return poll()
      forgive()
      return fail(event.retryAfterMs)
  }
  return []
}

/** What can be done with a line: each changes the draft, and answers with the actions that it takes. */
export function movesOf(state: Draft, now: number, random: number) {
  const go = (phase: Draft['phase'], ms: number, ...actions: ConnectionAction[]): ConnectionAction[] => {
    state.phase = phase
    return [{ do: 'close' }, ...actions, { do: 'wait', ms }]
  }
  const wait = (ms: number) => go('waiting', ms)

  /** Exponential, and random, so that those who lost the same server do not come back together. */
  const backOff = (tries: number) =>
    Math.min(RETRY_MOST_MS, state.retryMs * 2 ** Math.min(10, tries - 1)) * (0.5 + random / 2)

  /** Touch is lost: with the server, or, as far as the device knows, with all the world. */
  const lose = () => {
    state.status = state.online ? 'reconnecting' : 'offline'
  }
  return {
    wait,
    lose,
    open() {
      state.openedAt = state.heardAt = now
      return go('opening', MUTE_MS, { do: 'open', cursor: state.cursor })
    },
    poll: () => go('asking', POLL_TIMEOUT_MS, { do: 'poll', cursor: state.cursor }),
    /** Tries again after a while. */
    retry: (tries: number) => wait(backOff(tries)),
    fail(retryAfterMs = 0) {
      const asked = Math.min(RETRY_AFTER_MOST_MS, retryAfterMs)
      state.failures += 1
      state.notBefore = now + asked
      lose()
      return wait(asked + backOff(asked > 0 ? 1 : state.failures))
    },
    /** A stream that lived was a good one: what failed before it counts no more. Answers whether it was. */
    forgive() {
      const isGood = state.phase === 'streaming' && now - state.openedAt >= STEADY_MS
      if (isGood) state.failures = 0
      return isGood
    },
  }
}
