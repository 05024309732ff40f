import type { AnswerValue, Ask, AskField, AskSchema } from './ask-schema.ts'
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
export interface ClosedAsk {
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
  const id = event.type === 'ask' ? event.id : event.ask
  const before = asks.find((ask) => ask.id === id)
  let after: Ask[] = asks
  // One that is closed stays as it is: what was answered once is not asked again.
  if (event.type === 'ask' && (!before || isOpen(before))) {
    const { version, at, message, schema, expiresAt } = event
    const ask: Ask = { id, version, at, message }
    if (schema !== undefined) ask.schema = schema
    if (expiresAt !== undefined) ask.expiresAt = expiresAt
    after = before ? asks.map((one) => (one === before ? ask : one)) : [...asks, ask]
  } else if (event.type === 'answer' && before && isOpen(before)) {
    const { version, at, value, by } = event
    const said = value === undefined ? { expired: true as const } : { answer: { value, by: by ?? '', at } }
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
  return { asks: kept, ...(open > 0 ? { openAsks: open } : {}) }
}

/** What a form asks for: its fields by name; one without a name is the whole answer. */
export function fieldsOf(
  schema: AskSchema = { type: 'boolean' },
): { name?: string; field: AskField; required: boolean }[] {
  if (schema.type !== 'object') return [{ field: schema, required: true }]
  const { properties, required = [] } = schema
  return Object.entries(properties).map(([name, field]) => ({ name, field, required: required.includes(name) }))
}

/** What is wrong with an answer, by field: `value`, or `value.name`. Empty: nothing. */
export function flawsOfAnswer(schema: AskSchema | undefined, value: AnswerValue): { field: string; detail: string }[] {
  if (schema?.type !== 'object') {
    const detail = flawOf(schema ?? { type: 'boolean' }, value)
    return detail === undefined ? [] : [{ field: 'value', detail }]
  }
  if (typeof value !== 'object') return [{ field: 'value', detail: 'must be an object' }]
  const flaws: { field: string; detail: string }[] = []
  for (const { name = '', field, required } of fieldsOf(schema)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    const detail = given === undefined ? (required ? 'is required' : undefined) : flawOf(field, given)
    if (detail !== undefined) flaws.push({ field: `value.${name}`, detail })
  }
  for (const name of Object.keys(value))
    if (!Object.hasOwn(schema.properties, name)) flaws.push({ field: `value.${name}`, detail: 'is not a known field' })
  return flaws
}

function flawOf(field: AskField, value: AnswerValue): string | undefined {
  if (field.type === 'boolean') return typeof value === 'boolean' ? undefined : 'must be true or false'
  if (field.type === 'string') {
    const { enum: choices, minLength = 0, maxLength = 8_192 } = field
    if (typeof value !== 'string') return 'must be text'
    if (choices) return choices.includes(value) ? undefined : `must be one of: ${choices.join(', ')}`
    if (value.length < minLength) return `must have at least ${minLength} characters`
    return value.length > maxLength ? `must have at most ${maxLength} characters` : undefined
  }
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = field
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number'
  if (field.type === 'integer' && !Number.isInteger(value)) return 'must be a whole number'
  if (value < minimum) return `must be at least ${minimum}`
  return value > maximum ? `must be at most ${maximum}` : undefined
}
