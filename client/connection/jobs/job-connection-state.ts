import { backOff } from '../../../shared/time/backoff.ts'
import {
  type ConnectionEvent,
  type ConnectionState,
  type ConnectionStep,
  statusOfEnd,
  statusOfRefusal,
  transition,
} from '../connection-state.ts'
import { MUTE_MS, POLL_TIMEOUT_MS, RETRY_MAX_MS, RETRY_MIN_MS, STEADY_MS } from '../timeouts.ts'

/** Refusals in a row before they are believed: a server that is being deployed may refuse for a moment. */
const REFUSALS = { expired: 3, 'not-found': 2 }

/**
 * The policy of {@link transition} for a document of one's own, a job or a list: it has a cursor, may have gaps, may be refused, and ends.
 */
export function jobTransition(
  state: ConnectionState,
  event: ConnectionEvent,
  now: number,
  random: number,
): ConnectionStep {
  const { phase, cursor, failures, refusals: before = 0 } = state
  const isPolling = phase === 'poll'
  const hasStream = phase === 'open' || phase === 'stream'
  const go = (changes: Partial<ConnectionState>, as = event) => transition({ ...state, ...changes }, as, now, random)
  /** Requests another stream, or the next page of a poll. */
  const again = (next: 'open' | 'poll', ms: number, changes: Partial<ConnectionState>): ConnectionStep => [
    { ...state, phase: next, ...changes },
    next,
    ms,
  ]
  const finish = (status: ConnectionState['status']): ConnectionStep => [{ ...state, phase: 'idle', status }, 'idle']

  switch (event.type) {
    case 'start':
      return state.status === 'ended' || phase !== 'idle' ? [state] : go({ refusals: 0 })
    case 'retry':
      return [{ ...state, retryMs: Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, event.ms)) }]
    case 'opened':
      return go({ refusals: 0 })
    case 'message':
      if (hasStream) return go({ refusals: 0, cursor: event.cursor ?? cursor })
      break
    case 'polled': {
      if (!isPolling) break
      const changes = { refusals: 0, cursor: event.cursor ?? cursor }
      return event.more ? again('poll', POLL_TIMEOUT_MS, { ...changes, online: true, failures: 0 }) : go(changes)
    }
    case 'gap': {
      if (!hasStream && !isPolling) break
      // The stream resumes from the document's cursor at once. After a second gap it starts without a cursor, and after a wait.
      const isSteady = phase === 'stream' && now - state.openedAt >= STEADY_MS
      if (hasStream && (isSteady || failures === 0))
        return again('open', MUTE_MS, { failures: 1, openedAt: now, heardAt: now })
      return go({ cursor: undefined }, { type: 'failed' })
    }
    case 'ended':
      if (hasStream || isPolling) return finish(statusOfEnd(event.reason))
      break
    case 'failed': {
      const refused = statusOfRefusal(event.status)
      if (!refused || (!hasStream && !isPolling)) break
      const refusals = before + 1
      if (refusals >= REFUSALS[refused]) return finish(refused)
      return [{ ...state, refusals, phase: 'wait' }, 'wait', backOff(refusals, state.retryMs, RETRY_MAX_MS, random)]
    }
  }
  return go({})
}
