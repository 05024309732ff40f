import type { AnswerValue, Ask } from './ask-schema.ts'
import type { AppliedEvent } from './events.ts'
import type { JobHeader } from './job.ts'

/** Most open asks of a job. */
export const OPEN_ASKS_LIMIT = 20
/** Asks that a document keeps, and their JSON: characters. The oldest that are closed go first. */
const ASK_WINDOW = 100
export const ASKS_LENGTH = 16_384

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

/** The newest asks of a job that are closed: as many as may be open. `undefined` if there are none. */
export function closedAsks({ asks }: Asking): ClosedAsk[] | undefined {
  const closed = asks?.filter((ask) => !isOpen(ask)).slice(-OPEN_ASKS_LIMIT)
  if (!closed || closed.length === 0) return undefined
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
  while (kept.length > ASK_WINDOW || JSON.stringify(kept).length > ASKS_LENGTH) {
    const oldest = kept.findIndex((ask) => !isOpen(ask))
    if (oldest === -1) break
    kept.splice(oldest, 1)
  }
  if (kept.length === 0) return {}
  const open = kept.filter(isOpen).length
  return { asks: kept, ...(open > 0 && { openAsks: open }) }
}
