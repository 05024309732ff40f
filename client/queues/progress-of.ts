import type { EventFields } from '../../shared/document/events.ts'

/** Names that a progress object may have for the same field, the first that is there. */
const DONE = ['done', 'current', 'processed', 'completed', 'value']
const PERCENT = ['percent', 'percentage', 'progress']
const MESSAGE = ['message', 'text', 'status', 'step']

/** Characters of a text, of a title, and of a name: so that its UTF-8 is within the limits of events. */
const TEXT = 2_000
const NAME = 120

/** A message, cut. */
export const cutText = (value: unknown): string => String(value).slice(0, TEXT)

/** A title or a unit, cut; it is not empty. */
export const cutName = (value: unknown, otherwise: string): string => String(value).trim().slice(0, NAME) || otherwise

/**
 * The progress that a worker reported as a number, text or object of its own: a number is a percentage; of an object the usual names are
 * known: `{ done, total, unit, message }`, `{ current, total }`, `{ percent, message }`. `undefined` for none.
 */
export function progressOf(reported: unknown): EventFields<'progress'> | undefined {
  if (isAmount(reported)) return { done: reported, total: 100 }
  if (typeof reported === 'string' && reported !== '') return { done: 0, message: cutText(reported) }
  if (typeof reported !== 'object' || reported === null) return undefined
  const fields = reported as Record<string, unknown>
  const message = first(fields, MESSAGE, isText)
  const said = message === undefined ? {} : { message: cutText(message) }
  const percent = first(fields, PERCENT, isAmount)
  const done = first(fields, DONE, isAmount)
  if (done === undefined) {
    if (percent !== undefined) return { done: percent, total: 100, ...said }
    return { done: 0, message: cutText(message ?? jsonOf(reported)) }
  }
  const counts = ['total', 'succeeded', 'failed'].flatMap((name) =>
    isAmount(fields[name]) ? [[name, fields[name]]] : [],
  )
  const unit = isText(fields.unit) ? { unit: cutName(fields.unit, 'units') } : {}
  return { done, ...Object.fromEntries(counts), ...unit, ...said }
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value)
  } catch {
    return '…'
  }
}

const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < Infinity

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''

function first<T>(fields: Record<string, unknown>, names: string[], is: (value: unknown) => value is T): T | undefined {
  for (const name of names) {
    const value = fields[name]
    if (is(value)) return value
  }
  return undefined
}
