import type { AnswerValue, Ask } from './ask-schema.ts'
import type { AppliedEvent, JobEvent } from './events.ts'
import type { JobHeader } from './job.ts'

/** Most open asks of a job. */
export const OPEN_ASKS_LIMIT = 20
/** Most JSON of the open asks of a job together: characters. */
export const ASKS_LENGTH = 16_384
/**
 * Asks that a document keeps, and their JSON: characters. Those closed first go first. An answer fits beside all that is open, so
 * the newest is never the one that goes.
 */
const ASK_WINDOW = 100
const WINDOW_LENGTH = 2 * ASKS_LENGTH

type Asking = Pick<JobHeader, 'asks'>

const isOpen = ({ answer, expired }: Ask) => answer === undefined && expired === undefined

/** The asks of a job that has not ended which nobody has answered. */
export const openAsks = ({ asks = [] }: Asking): Ask[] => asks.filter(isOpen)

/** Whether a running job waits for an answer: then its silence is no stall. Computed, never stored. */
export const isWaiting = ({ status, openAsks = 0 }: Pick<JobHeader, 'status' | 'openAsks'>): boolean =>
  status === 'running' && openAsks > 0

/** An answer, or the end of the time for it, as producers hear of it. */
interface ClosedAsk {
  ask: string
  value?: AnswerValue
  by?: string
  expired?: true
}

/**
 * The asks of a job that were closed last, in the order of that: as many as may be open. `undefined` if there are none.
 *
 * @param events what a producer has just reported: what it asks again and is closed comes too, however long ago that was
 */
export function closedAsks({ asks }: Asking, events: readonly JobEvent[] = []): ClosedAsk[] | undefined {
  // Each publish comes here, and most jobs ask nothing.
  if (!asks) return undefined
  const askedAgain = new Set(events.map((event) => (event.type === 'ask' ? event.id : undefined)))
  const closed = asks
    .filter((ask) => !isOpen(ask))
    .toSorted((a, b) => a.version - b.version)
    .filter(({ id }, place, { length }) => place >= length - OPEN_ASKS_LIMIT || askedAgain.has(id))
  if (closed.length === 0) return undefined
  return closed.map(({ id, answer }) =>
    answer ? { ask: id, value: answer.value, by: answer.by } : { ask: id, expired: true },
  )
}

/** The version at which an ask of the job was last closed; 0 for never. */
export const closedVersion = ({ asks = [] }: Asking): number =>
  asks.reduce((newest, ask) => (isOpen(ask) ? newest : Math.max(newest, ask.version)), 0)

/** What an `ask` or `answer` makes of the asks of a job. Pure; a part of the fold. */
export function foldAsks(
  { asks = [] }: Asking,
  event: Extract<AppliedEvent, { type: 'ask' | 'answer' }>,
): Pick<JobHeader, 'asks' | 'openAsks'> {
  const isAsk = event.type === 'ask'
  const id = isAsk ? event.id : event.ask
  const before = asks.find((ask) => ask.id === id)
  let after: Ask[] = asks
  // One that is closed stays as it is: what was answered once is not asked again.
  if (isAsk && (!before || isOpen(before))) {
    const { version, at, message, schema, expiresAt } = event
    const ask: Ask = { id, version, at, message }
    if (schema !== undefined) ask.schema = schema
    if (expiresAt !== undefined) ask.expiresAt = expiresAt
    after = before ? asks.map((one) => (one === before ? ask : one)) : [...asks, ask]
  } else if (!isAsk && before && isOpen(before)) {
    const { version, at, value, by } = event
    const said: Partial<Ask> = value === undefined ? { expired: true } : { answer: { value, by: by ?? '', at } }
    after = asks.map((one) => (one === before ? { ...one, version, ...said } : one))
  }
  return withinWindow(after)
}

function withinWindow(asks: Ask[]): Pick<JobHeader, 'asks' | 'openAsks'> {
  const kept = [...asks]
  const closed = asks.filter((ask) => !isOpen(ask)).toSorted((a, b) => b.version - a.version)
  while (kept.length > ASK_WINDOW || JSON.stringify(kept).length > WINDOW_LENGTH) {
    const first = closed.pop()
    if (!first) break
    kept.splice(kept.indexOf(first), 1)
  }
  if (kept.length === 0) return {}
  const open = kept.filter(isOpen).length
  return { asks: kept, ...(open > 0 && { openAsks: open }) }
}
