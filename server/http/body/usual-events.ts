import type { EventType, ProducerEvent } from '../../../shared/document/events.ts'
import { itemStatuses, logLevels } from '../../../shared/document/job.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import { fitsUtf8 } from '../../../shared/document/text-size.ts'

type Accepts = (value: unknown) => boolean

/** What events of a type may have. */
interface Shape {
  /** The fields after `type`, in the order in which the schema returns them. */
  fields: readonly { name: string; isRequired: boolean; accepts: Accepts }[]
  /** How many fields an event has at least. */
  least: number
}

/**
 * Returns a function that tells whether a value parsed from JSON is an event as the schema returns it: valid, of any type but `status` and `ask`, its
 * fields in the schema's order. Another value may be valid too: only the schema can tell, and say what is wrong.
 *
 * The schema costs more than the rest of the work on an event, because it copies it and looks for unknown fields in two passes.
 */
export function createUsualCheck(limits: Limits): (value: unknown) => value is ProducerEvent {
  const shapes = new Map<unknown, Shape>(Object.entries(shapesUnder(limits)))
  return (value): value is ProducerEvent => {
    if (typeof value !== 'object' || value === null) return false
    const event = value as Record<string, unknown>
    const shape = shapes.get(event.type)
    if (!shape) return false
    let place = 0
    let count = 0
    for (const key in event) {
      count += 1
      if (count === 1 && key === 'type') continue
      let field = shape.fields[place++]
      while (field && field.name !== key && !field.isRequired) field = shape.fields[place++]
      if (field?.name !== key || !field.accepts(event[key])) return false
    }
    return count >= shape.least
  }
}

function shapesUnder({ messageBytes, titleBytes }: Limits): Record<Exclude<EventType, 'status' | 'ask'>, Shape> {
  const text =
    (bytes: number): Accepts =>
    (value) =>
      typeof value === 'string' && value.isWellFormed() && fitsUtf8(value, bytes)
  const number =
    (most: number): Accepts =>
    (value) =>
      typeof value === 'number' && value >= 0 && value <= most
  const oneOf =
    (values: readonly unknown[]): Accepts =>
    (value) =>
      values.includes(value)
  const message = text(messageBytes)
  const title = text(titleBytes)
  const name: Accepts = (value) => title(value) && String(value).trim() !== ''
  // No infinity, which JSON can have as 1e999.
  const amount = number(Number.MAX_VALUE)
  const required = (field: string, accepts: Accepts) => ({ name: field, isRequired: true, accepts })
  const optional = (field: string, accepts: Accepts) => ({ name: field, isRequired: false, accepts })
  const nullable = (field: string, accepts: Accepts) => optional(field, (value) => value === null || accepts(value))
  return {
    progress: {
      fields: [
        required('done', amount),
        nullable('total', amount),
        nullable('succeeded', amount),
        nullable('failed', amount),
        nullable('unit', name),
        nullable('message', message),
      ],
      least: 2,
    },
    item: {
      fields: [
        required('id', name),
        optional('status', oneOf(itemStatuses)),
        nullable('label', name),
        nullable('progress', number(100)),
        nullable('message', message),
        nullable('error', message),
      ],
      least: 3,
    },
    step: {
      fields: [
        required('id', name),
        optional('status', oneOf(itemStatuses)),
        nullable('label', name),
        nullable('done', amount),
        nullable('total', amount),
        nullable('message', message),
        nullable('weight', amount),
      ],
      least: 3,
    },
    error: { fields: [required('message', message), optional('code', name), optional('itemId', name)], least: 2 },
    log: { fields: [required('message', message), optional('level', oneOf(logLevels))], least: 2 },
  }
}
