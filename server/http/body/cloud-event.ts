/** CloudEvents 1.0.2: github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, and its bindings of JSON and of HTTP. */
import { z } from 'zod'
import { createEventSchema, type ProducerEvent } from '../../../shared/document/events.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import { fieldErrors, type Problem, ProblemError, problems, refuse } from '../../errors.ts'
import { KEYS_KEPT } from '../../jobs/idempotency.ts'
import { EventParser, LARGE_TEXT, parseJson } from './event-parser.ts'
import { elementsOf } from './json-text.ts'

/** Most characters of the attributes of an event, with those that we ignore. */
const MAX_ATTRIBUTES = 8_192
/** Most characters of an id and of a source, which together are the idempotency key. */
const MAX_ID = 1_024
/** Most events of a batch: as many as a job remembers, so that a batch that is sent again is applied once. */
export const CLOUD_EVENTS_LIMIT = KEYS_KEPT
/** How types begin: `milepost.progress`. */
const PREFIX = 'milepost.'
/** How the headers of the binary mode begin. */
export const HEADER = 'ce-'

/** An event of a job, from a CloudEvent. */
export interface JobCloudEvent {
  job: string
  /** Together they name the event. */
  source: string
  id: string
  event: ProducerEvent
  /** Characters of its JSON. */
  length: number
}

/** The attributes that matter here, and the data. Other attributes are for others. */
export function createCloudEventSchema(limits: Limits) {
  const types = createEventSchema(limits).options.map(({ shape }) => `${PREFIX}${shape.type.value}`)
  return z
    .looseObject({
      specversion: z.literal('1.0'),
      id: z.string().min(1).max(MAX_ID),
      source: z.string().min(1).max(MAX_ID),
      /** The type of the event, after `milepost.`. */
      type: z.enum(types),
      /** The id of the job. */
      subject: z.string().min(1).max(MAX_ID),
      datacontenttype: z
        .string()
        .regex(/^application\/([\w.-]+\+)?json\s*(;|$)/i, 'must be JSON')
        .optional(),
      /** The other fields of the event. */
      data: z.record(z.string(), z.unknown()).default({}),
    })
    .refine((event) => event.data_base64 === undefined, {
      path: ['data_base64'],
      error: 'is not taken: send the data as JSON',
    })
    .meta({ id: 'CloudEvent' })
}

/** Parses CloudEvents in the three modes of HTTP. */
export class CloudEventParser {
  readonly #events: EventParser
  readonly #schema: ReturnType<typeof createCloudEventSchema>
  /** Most characters of one event. */
  readonly #maxLength: number

  constructor(limits: Limits) {
    this.#events = new EventParser(limits)
    this.#schema = createCloudEventSchema(limits)
    this.#maxLength = limits.eventBytes + MAX_ATTRIBUTES
  }

  /** An event as JSON. @throws ProblemError 400, 413, 422 */
  structured(text: string): JobCloudEvent {
    return this.#eventOf(this.#parse(text), '', text.length)
  }

  /** An event whose attributes are headers and whose data are the body. @throws ProblemError 400, 413, 422 */
  binary(headers: Headers, text: string): JobCloudEvent {
    const attributes: Record<string, unknown> = { data: text === '' ? {} : this.#parse(text) }
    for (const [name, value] of headers) {
      if (name.startsWith(HEADER)) attributes[name.slice(HEADER.length)] = decodeHeader(value)
    }
    return this.#eventOf(attributes, HEADER, text.length)
  }

  /** The events of a batch; in place of one that is invalid by itself, its refusal. @throws ProblemError 400, 413, 422 */
  *batch(text: string): Generator<undefined, (JobCloudEvent | ProblemError)[]> {
    const elements = yield* elementsOf(text, CLOUD_EVENTS_LIMIT + 1)
    if (!elements) {
      const errors = [{ field: 'body', detail: 'is not an array of events' }]
      throw refuse(problems.malformed('The body is not a JSON array of events.', errors))
    }
    if (elements.length > CLOUD_EVENTS_LIMIT) {
      const detail = `has too many events; a batch has at most ${CLOUD_EVENTS_LIMIT}`
      throw refuse(problems.tooLarge(`The body ${detail}. Send several requests.`, [{ field: 'body', detail }]))
    }
    const events: (JobCloudEvent | ProblemError)[] = []
    let length = 0
    for (const json of elements) {
      events.push(this.#eventOrRefusal(json))
      length += json.length
      if (length < LARGE_TEXT) continue
      length = 0
      yield
    }
    return events
  }

  #eventOrRefusal(json: string): JobCloudEvent | ProblemError {
    try {
      return this.structured(json)
    } catch (error) {
      // The body as a whole is not JSON then.
      if (!(error instanceof ProblemError) || error.problem.status === 400) throw error
      return error
    }
  }

  #parse(text: string): unknown {
    if (text.length <= this.#maxLength) return parseJson(text)
    const detail = `is longer than ${this.#maxLength} characters`
    throw refuse(problems.tooLarge(`The event ${detail}.`, [{ field: 'body', detail }]))
  }

  /** @param prefix of the attributes in the mode in which they came */
  #eventOf(value: unknown, prefix: string, length: number): JobCloudEvent {
    const parsed = this.#schema.safeParse(value)
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error).map(({ field, detail }) => {
        return { field: /^(data|body)\b(?!_)/.test(field) ? field : prefix + field, detail }
      })
      throw refuse(problems.invalid(errors))
    }
    const { id, source, subject: job, data } = parsed.data
    const type = parsed.data.type.slice(PREFIX.length)
    if (data.type !== undefined && data.type !== type) {
      const detail = `must be ${type}, as the type of the event says, or left out`
      throw refuse(problems.invalid([{ field: 'data.type', detail }]))
    }
    return { job, source, id, event: this.#events.part({ ...data, type }, 'data', length), length }
  }
}

/**
 * Why a job refuses an event, with the fields as they were sent.
 *
 * @param prefix of the attributes in the mode in which they came
 */
export function refusalAsSent(problem: Problem, prefix = ''): Problem {
  if (!problem.errors) return problem
  const attributes: Record<string, string> = { 'Idempotency-Key': 'id', type: 'type' }
  const errors = problem.errors.map(({ field, detail }) => {
    const attribute = attributes[field]
    return { field: attribute === undefined ? `data.${field}` : prefix + attribute, detail }
  })
  return problem.status === 422 ? problems.invalid(errors) : { ...problem, errors }
}

/** A value of a header: percent-encoded where it is not printable ASCII (HTTP binding, 3.1.3.2). */
function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
