import type { EndReason } from '../shared/wire.ts'
import type { ConnectionAction, ConnectionEvent, ConnectionPolicy, ConnectionStatus } from './connection-state.ts'
import { type Draft, keepLine, movesOf, RETRY_MOST_MS } from './line-policy.ts'

/** Refusals of access in a row that are believed: a server that is being rolled out may refuse in passing. */
const REFUSALS = 3
/** Answers in a row that there is no such job that are believed. */
const MISSING = 2
const RETRY_LEAST_MS = 100

/** The policy of a line that is one job's, or one list's: what the server says of that decides about the line. */
export const transition: ConnectionPolicy = (state, event, now, random) => {
  const draft = { ...state }
  const actions = judge(draft, event, now, random)
  return actions ? [draft, actions] : keepLine(draft, event, now, random)
}

/** What is to be done; `undefined` where that is not for this policy to say. */
function judge(state: Draft, event: ConnectionEvent, now: number, random: number): ConnectionAction[] | undefined {
  const { open, fail, forgive, retry } = movesOf(state, now, random)
  if (event.type === 'retry') {
    state.retryMs = Math.min(RETRY_MOST_MS, Math.max(RETRY_LEAST_MS, event.ms))
    return []
  }
  if (state.phase !== 'opening' && state.phase !== 'streaming' && state.phase !== 'asking') return undefined
  switch (event.type) {
    case 'ended':
      return finish(state, endStatus(event.reason))
    case 'gap':
      // It is made good by going on from where the document is; if that leaves one again, by beginning anew.
      forgive()
      if (state.phase !== 'asking' && state.failures === 0) {
        state.failures = 1
        return open()
      }
      state.cursor = undefined
      return fail()
    case 'opened':
    case 'message':
    case 'polled':
      state.refusals = state.missing = 0
      return undefined
    case 'failed':
      if (event.status === 404) {
        state.missing += 1
        return state.missing < MISSING ? retry(1) : finish(state, 'not-found')
      }
      if (event.status !== 401 && event.status !== 403) return undefined
      state.refusals += 1
      return state.refusals < REFUSALS ? retry(state.refusals) : finish(state, 'expired')
    default:
      return undefined
  }
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
