import type { EndReason } from '../shared/wire.ts'
import type { ConnectionAction, ConnectionEvent, ConnectionPolicy, ConnectionStatus } from './connection-state.ts'
import { backOff, type Draft, fail, forgive, keepLine, open, RETRY_MOST_MS, wait } from './line-policy.ts'

/** Refusals of access in a row that are believed: a server that is being rolled out may refuse in passing. */
const REFUSALS = 3
/** Answers in a row that there is no such job that are believed. */
const MISSING = 2
const RETRY_LEAST_MS = 100

/** The policy of a line that is one job's, or one list's: what the server says of that decides about the line. */
export const transition: ConnectionPolicy = (state, event, now, random) => {
  const draft = { ...state }
  return [draft, judge(draft, event, now, random)]
}

function judge(state: Draft, event: ConnectionEvent, now: number, random: number): ConnectionAction[] {
  const { phase } = state
  const isHeard = phase === 'opening' || phase === 'streaming' || phase === 'asking'
  if (event.type === 'retry') {
    state.retryMs = Math.min(RETRY_MOST_MS, Math.max(RETRY_LEAST_MS, event.ms))
    return []
  }
  if (!isHeard) return keepLine(state, event, now, random)
  switch (event.type) {
    case 'ended':
      return finish(state, endStatus(event.reason))
    case 'gap':
      return onGap(state, now, random)
    case 'opened':
    case 'message':
    case 'polled':
      state.refusals = state.missing = 0
      break
    case 'failed':
      if (event.status === 404) {
        state.missing += 1
        return state.missing < MISSING ? wait(state, backOff(state, 1, random)) : finish(state, 'not-found')
      }
      if (event.status === 401 || event.status === 403) {
        state.refusals += 1
        return state.refusals < REFUSALS
          ? wait(state, backOff(state, state.refusals, random))
          : finish(state, 'expired')
      }
  }
  return keepLine(state, event, now, random)
}

function finish(state: Draft, status: ConnectionStatus): ConnectionAction[] {
  state.phase = 'over'
  state.status = status
  return [{ do: 'close' }]
}

function endStatus(reason: EndReason | undefined): ConnectionStatus {
  if (reason === 'token-expired') return 'expired'
  return reason === 'deleted' ? 'not-found' : 'ended'
}

/** A gap is made good by going on from where the document is; if that leaves one again, by beginning anew. */
function onGap(state: Draft, now: number, random: number): ConnectionAction[] {
  forgive(state, now)
  if (state.phase !== 'asking' && state.failures === 0) {
    state.failures = 1
    return open(state, now)
  }
  state.cursor = undefined
  return fail(state, now, random)
}
