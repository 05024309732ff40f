import { z } from 'zod'
import { type AnswerValue, askSchemaSchema } from './ask-schema.ts'
import { itemStatusSchema, jobStatusSchema, logLevelSchema } from './job.ts'
import { ATTEMPT_LIMIT, defaultLimits, type Limits } from './limits.ts'
import { fitsUtf8 } from './text-size.ts'

/** Deepest nesting of a `result` or `metadata`: deeper values would overflow the stack of code that walks them. */
export const JSON_DEPTH = 32

/** Most JSON of one ask: characters. */
const ASK_LENGTH = 8_192

/** Whether a JSON value is nested no deeper than that. */
export function isShallow(value: unknown, depth = JSON_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  // Not by `Object.values`: on Bun (1.4) it takes 70 ms for an array of 32,000 numbers.
  if (Array.isArray(value)) return value.every((inner) => isShallow(inner, depth - 1))
  for (const key in value) if (!isShallow(value[key as keyof typeof value], depth - 1)) return false
  return true
}

/**
 * A value as JSON, or why it can't be stored. Values from within the process may be anything: contain functions or themselves, throw when
 * read, change later.
 */
function toJson(value: unknown, bytes: number): { text: string } | { fault: string } {
  try {
    if (!isShallow(value)) return { fault: `must be nested at most ${JSON_DEPTH} deep` }
    const text: string | undefined = JSON.stringify(value)
    if (text === undefined) return { fault: 'must be JSON' }
    return fitsUtf8(text, bytes) ? { text } : { fault: `must be at most ${bytes} bytes of JSON` }
  } catch {
    return { fault: 'must be JSON' }
  }
}

/** Schemas of the fields of untrusted input, under the given limits. */
export function createFieldSchemas(limits: Limits) {
  // Unpaired surrogates have no UTF-8: stores would replace them by U+FFFD, and confuse ids that differ only there.
  const text = (bytes: number) =>
    z.string().check((payload) => {
      payload.value = payload.value.toWellFormed()
      if (fitsUtf8(payload.value, bytes)) return
      payload.issues.push({ code: 'custom', message: `must be at most ${bytes} bytes`, input: payload.value })
    })
  const jsonWithin = <T extends z.ZodType>(schema: T, bytes: number) =>
    schema.check((payload) => {
      if (payload.value === undefined) return
      const json = toJson(payload.value, bytes)
      if ('fault' in json) payload.issues.push({ code: 'custom', message: json.fault, input: payload.value })
      else payload.value = JSON.parse(json.text)
    })
  return {
    amount: z.number().nonnegative(),
    /** An id, a title or a label: not blank. */
    name: text(limits.titleBytes).refine((value) => value.trim() !== '', 'must not be empty'),
    message: text(limits.messageBytes),
    metadata: jsonWithin(z.record(z.string(), z.unknown()), limits.metadataBytes),
    result: jsonWithin(z.unknown(), limits.resultBytes),
  }
}

/** At least one field besides `type` and `id`: an event without any is a mistake of its sender. */
const saysSomething = (event: object) => Object.values(event).filter((value) => value !== undefined).length > 2
const ONE_FIELD = 'needs at least one field beside type and id'

/**
 * The schema of what a producer may report, under the given limits. Unknown fields are refused; a field left out keeps
 * its value, `null` clears it.
 */
export function createEventSchema(limits: Limits) {
  const { amount, name, message, metadata, result } = createFieldSchemas(limits)
  const progress = z.strictObject({
    type: z.literal('progress'),
    done: amount,
    total: amount.nullable().optional(),
    succeeded: amount.nullable().optional(),
    failed: amount.nullable().optional(),
    unit: name.nullable().optional(),
    message: message.nullable().optional(),
  })
  const status = z.strictObject({
    type: z.literal('status'),
    status: jobStatusSchema,
    message: message.nullable().optional(),
    result: result.optional(),
    title: name.optional(),
    metadata: metadata.nullable().optional(),
    /** Which try of the work this is; left out, a way back to `pending` begins the next. */
    attempt: z.int().min(1).max(ATTEMPT_LIMIT).optional(),
  })
  const item = z
    .strictObject({
      type: z.literal('item'),
      id: name,
      status: itemStatusSchema.optional(),
      label: name.nullable().optional(),
      progress: z.number().min(0).max(100).nullable().optional(),
      message: message.nullable().optional(),
      error: message.nullable().optional(),
    })
    .refine(saysSomething, ONE_FIELD)
  const step = z
    .strictObject({
      type: z.literal('step'),
      id: name,
      status: itemStatusSchema.optional(),
      label: name.nullable().optional(),
      done: amount.nullable().optional(),
      total: amount.nullable().optional(),
      message: message.nullable().optional(),
      weight: amount.nullable().optional(),
    })
    .refine(saysSomething, ONE_FIELD)
  const error = z.strictObject({
    type: z.literal('error'),
    message,
    code: name.optional(),
    itemId: name.optional(),
  })
  const log = z.strictObject({
    type: z.literal('log'),
    message,
    level: logLevelSchema.optional(),
  })
  const instant = z.iso.datetime({ offset: true }).check((payload) => {
    const ms = Date.parse(payload.value)
    if (!Number.isNaN(ms)) payload.value = new Date(ms).toISOString()
  })
  const ask = z
    .strictObject({
      type: z.literal('ask'),
      // As a segment of a path, these two lead elsewhere: nobody could answer.
      id: name.refine((id) => id !== '.' && id !== '..', 'must not be . or ..'),
      message,
      schema: askSchemaSchema.optional(),
      expiresAt: instant.optional(),
    })
    .refine((fields) => JSON.stringify(fields).length <= ASK_LENGTH, `must be at most ${ASK_LENGTH} characters of JSON`)
  return z.discriminatedUnion('type', [progress, status, item, step, error, log, ask]).meta({ id: 'Event' })
}

/** What a producer may report, under the default limits. */
export const eventSchema = createEventSchema(defaultLimits)

/** What a producer reports. */
export type ProducerEvent = z.infer<typeof eventSchema>
/** What kind of event a producer reports. */
export type EventType = ProducerEvent['type']
/** The fields of one type of event, as the emit helpers take them. */
export type EventFields<T extends EventType> = Omit<Extract<ProducerEvent, { type: T }>, 'type'>

/** What a watcher asked for. Written by the server alone. */
export interface ControlEvent {
  type: 'control'
  cancelRequested?: boolean
  pauseRequested?: boolean
}

/** What its owner answered to an ask; without a value: nobody did in time. Written by the server alone. */
export interface AnswerEvent {
  type: 'answer'
  ask: string
  value?: AnswerValue
  /** Who answered. */
  by?: string
}

/** Everything that can change a document. */
export type JobEvent = ProducerEvent | ControlEvent | AnswerEvent

/** An applied event: with its version, and with everything that the server derived. */
export type AppliedEvent = JobEvent & {
  version: number
  /** When the server took it: ISO 8601, UTC. */
  at: string
  /** With a terminal status: when the job is removed. */
  expiresAt?: string | undefined
  /** Set on the first event of a generation. */
  generation?: string
}
