import { createEventSchema, isShallow, JSON_DEPTH, type ProducerEvent } from '../../../shared/document/events.ts'
import { BATCHES_LIMIT, type Limits } from '../../../shared/document/limits.ts'
import { fitsUtf8 } from '../../../shared/document/text-size.ts'
import { createRequestSchemas, type JobEvents } from '../../../shared/wire/api.ts'
import { ERRORS_NAMED, type FieldError, fieldErrors, ProblemError, problems, refuse } from '../../errors.ts'
import { elementsOf, shapeOf } from './json-text.ts'
import { createUsualCheck } from './usual-events.ts'

/** Length from which a text is handled in steps, because parsing it blocks the event loop for a good part of a millisecond: characters. */
export const LARGE_TEXT = 16 * 1_024

/** Events validated in one step: about a millisecond. */
const STEP_EVENTS = 100
/** Most fields of an event; no type of event has half as many. */
const MAX_FIELDS = 32
/** Levels of arrays and objects that are parsed at all; an event may have fewer. */
const MAX_DEPTH = 200
/**
 * Most characters of JSON per character of text: `\\u0041`. Also more than the bytes of JSON written per character read: at most three for
 * text, fewer than six for a number such as `1e20`.
 */
const ESCAPED = 6

/** A batch of one job, in a request of several. */
export interface JobBatch extends Omit<JobEvents, 'events'> {
  events: ProducerEvent[]
  /** Characters of its JSON. */
  length: number
}

/** Parsing in steps of about a millisecond, with its result. */
type Steps<T> = Generator<undefined, T>

/** Parses and validates the events of requests. */
export class EventParser {
  readonly #limits: Limits
  readonly #eventSchema: ReturnType<typeof createEventSchema>
  readonly #isUsual: ReturnType<typeof createUsualCheck>
  readonly #batchSchema: ReturnType<typeof createRequestSchemas>['jobEvents']
  /** As much as one event may have: a body of nothing else would hold the event loop for a second. */
  readonly #mostNested: number

  constructor(limits: Limits) {
    this.#limits = limits
    this.#eventSchema = createEventSchema(limits)
    this.#isUsual = createUsualCheck(limits)
    this.#batchSchema = createRequestSchemas(limits).jobEvents
    this.#mostNested = limits.resultBytes + limits.metadataBytes
  }

  /** The events of JSON: one, or an array of them. @param bytes of the text. @throws ProblemError 400, 413, 422 */
  *json(text: string, bytes: number): Steps<ProducerEvent[]> {
    const isLarge = text.length > LARGE_TEXT
    const longest = isLarge ? this.#checkShapes([{ json: text }], 'body') : text.length
    if (isLarge) yield
    const body = parseJson(text)
    if (isLarge) yield
    const isBatch = Array.isArray(body)
    return yield* this.#validate(isBatch ? body : [body], bytes, longest, !isBatch)
  }

  /** The events of newline-delimited JSON. @param bytes of the text. @throws ProblemError 400, 413, 422 */
  *lines(text: string, bytes: number): Steps<ProducerEvent[]> {
    // One line over the limit is enough to refuse the batch.
    const lines = linesOf(text, this.#limits.batchEvents + 1)
    const isLarge = text.length > LARGE_TEXT
    const longest = isLarge ? this.#checkShapes(lines, 'body') : text.length
    if (isLarge) yield
    const body = parseLines(lines)
    if (isLarge) yield
    return yield* this.#validate(body, bytes, longest)
  }

  /**
   * A batch with the name of its job. Errors name the events by their index.
   *
   * @param mayBeEmpty whether it may have no events
   * @throws ProblemError 400, 413, 422
   */
  *batch(json: string, mayBeEmpty = false): Steps<JobBatch> {
    const { length } = json
    const { bodyBytes } = this.#limits
    if (length > bodyBytes) {
      throw tooLarge('events', `are too long; a batch has at most ${bodyBytes} bytes`, ' Send several batches.')
    }
    const isLarge = length > LARGE_TEXT
    const longest = isLarge ? this.#checkShapes([{ json }], 'events', 3) : length
    if (isLarge) yield
    const body = parseJson(json)
    if (isLarge) yield
    const batch = this.#batchSchema.safeParse(body)
    if (!batch.success) throw refuse(problems.invalid(fieldErrors(batch.error)))
    if (mayBeEmpty && batch.data.events.length === 0) return { ...batch.data, events: [], length }
    // A character has at most three bytes of UTF-8.
    const events = yield* this.#validate(batch.data.events, 3 * length, longest)
    return { ...batch.data, events, length }
  }

  /**
   * The batches of a body; in place of one that is invalid by itself, its refusal.
   *
   * @throws ProblemError 400 if the body is not JSON, 413 or 422 if it has too many batches or none
   */
  *batches(text: string): Steps<(JobBatch | ProblemError)[]> {
    const elements = yield* elementsOf(text, BATCHES_LIMIT + 1)
    if (!elements) {
      const errors = [{ field: 'body', detail: 'is not an array of batches' }]
      throw refuse(problems.malformed('The body is not a JSON array of batches.', errors))
    }
    if (elements.length === 0) throw refuse(problems.invalid([{ field: 'body', detail: 'must be at least one batch' }]))
    if (elements.length > BATCHES_LIMIT) {
      const detail = `has too many batches; a request has at most ${BATCHES_LIMIT}`
      throw refuse(problems.tooLarge(`The body ${detail}. Send several requests.`, [{ field: 'body', detail }]))
    }
    const batches: (JobBatch | ProblemError)[] = []
    let length = 0
    for (const json of elements) {
      batches.push(yield* this.#batchOrRefusal(json))
      length += json.length
      if (length < LARGE_TEXT) continue
      length = 0
      yield
    }
    return batches
  }

  /**
   * One event that is a part of something else, parsed by now.
   *
   * @param field where it is
   * @param length characters of its JSON, at most
   * @throws ProblemError 413, 422
   */
  part(value: unknown, field: string, length: number): ProducerEvent {
    const { eventBytes } = this.#limits
    if (length * ESCAPED > eventBytes && !isWithin(value, eventBytes))
      throw tooLarge(field, `is longer than ${eventBytes} bytes`)
    const event = this.#eventSchema.safeParse(value)
    if (event.success) return event.data
    throw refuse(problems.invalid(fieldErrors(event.error, field)))
  }

  *#batchOrRefusal(json: string): Steps<JobBatch | ProblemError> {
    try {
      return yield* this.batch(json)
    } catch (error) {
      // The body as a whole is not JSON then.
      if (!(error instanceof ProblemError) || error.problem.status === 400) throw error
      return error
    }
  }

  /**
   * Refuses JSON that would take long to parse and be refused afterwards.
   *
   * @param field the field of the request that has the events
   * @param depth of an event's own fields: see {@link shapeOf}
   * @returns characters of the longest event
   * @throws ProblemError 413, 422
   */
  #checkShapes(texts: readonly Pick<Line, 'json' | 'index'>[], field: 'body' | 'events', depth?: number): number {
    const { eventBytes } = this.#limits
    let longestOfAll = 0
    let nestedInAll = 0
    let eventsInAll = 0
    for (const { json, index } of texts) {
      const { longest, events, nested, fields, tooDeep } = shapeOf(json, MAX_DEPTH, depth)
      if (tooDeep !== undefined) {
        const detail = `must be nested at most ${JSON_DEPTH} deep`
        throw refuse(problems.invalid([{ field: index === undefined ? tooDeep : `${index}.${tooDeep}`, detail }]))
      }
      if (longest > eventBytes * ESCAPED) throw tooLarge(field, `has an event that is longer than ${eventBytes} bytes`)
      if (fields > MAX_FIELDS) {
        const detail = `has an event with more than ${MAX_FIELDS} fields`
        throw refuse(problems.invalid([{ field, detail }]))
      }
      longestOfAll = Math.max(longestOfAll, longest)
      nestedInAll += nested
      eventsInAll += events
    }
    // A single event is cheap enough to parse, and only its parsed form tells whether it is too large: numbers can have zeros, and keys repeat.
    if (eventsInAll > 1 && nestedInAll > this.#mostNested) {
      throw tooLarge(field, `has more than ${this.#mostNested} bytes of results and metadata`, ' Send several batches.')
    }
    return longestOfAll
  }

  /**
   * Validates the events of a batch. Errors name them by their index, from 0, unless there is one alone.
   *
   * @param bytes of all events, at most
   * @param longest characters of the longest event, at most
   * @throws ProblemError 413, 422
   */
  *#validate(batch: readonly unknown[], bytes: number, longest: number, isAlone = false): Steps<ProducerEvent[]> {
    const { batchEvents, eventBytes } = this.#limits
    if (batch.length === 0) throw refuse(problems.invalid([{ field: 'events', detail: 'must be at least one' }]))
    if (batch.length > batchEvents) {
      throw tooLarge('events', `are too many; a batch has at most ${batchEvents}`, ' Send several batches.')
    }
    const maybeTooLong = bytes > eventBytes && longest * ESCAPED > eventBytes
    const errors: FieldError[] = []
    const events: ProducerEvent[] = []
    for (const [index, value] of batch.entries()) {
      const place = isAlone ? '' : `${index}`
      if (maybeTooLong && !isWithin(value, eventBytes)) {
        throw tooLarge(place || 'event', `is longer than ${eventBytes} bytes`)
      }
      const event = this.#isUsual(value) ? valid(value) : this.#eventSchema.safeParse(value)
      if (event.success) events.push(event.data)
      else errors.push(...fieldErrors(event.error, place))
      if (errors.length >= ERRORS_NAMED) break
      // A result may have thousands of keys: what follows it gets a step of its own.
      const isHeavy = event.data?.type === 'status' && event.data.result !== undefined
      if (isHeavy || index % STEP_EVENTS === STEP_EVENTS - 1) yield
    }
    if (errors.length > 0) throw refuse(problems.invalid(errors.slice(0, ERRORS_NAMED)))
    return events
  }
}

/** The schema's result for a valid event. */
const valid = (data: ProducerEvent) => ({ success: true, data, error: undefined }) as const

/** Runs all steps at once. */
export function lastOf<T>(steps: Iterator<unknown, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

function tooLarge(field: string, detail: string, remedy = ''): ProblemError {
  const what = field === 'body' ? 'The body' : `${field}:`
  return refuse(problems.tooLarge(`${what} ${detail}.${remedy}`, [{ field, detail }]))
}

/** Whether the JSON of a value fits. A value that is nested too deeply passes: measuring it takes a second, and the schema refuses it. */
function isWithin(value: unknown, bytes: number): boolean {
  return !isShallow(value, JSON_DEPTH + 1) || fitsUtf8(JSON.stringify(value), bytes)
}

/** @throws ProblemError 400 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refuse(problems.malformed('The body is not valid JSON.', [{ field: 'body', detail: 'is not valid JSON' }]))
  }
}

/** A line of a body. */
interface Line {
  readonly json: string
  /** Of its event, from 0. */
  readonly index?: number
  /** From 1; lines that are blank count. */
  readonly number: number
}

/** Parses newline-delimited JSON: one value per line. */
function parseLines(lines: readonly Line[]): unknown[] {
  return lines.map(({ number, json }) => {
    try {
      return JSON.parse(json)
    } catch {
      const field = `line ${number}`
      throw refuse(problems.malformed(`${field} is not valid JSON.`, [{ field, detail: 'is not valid JSON' }]))
    }
  })
}

/** The first `most` lines that are not blank. Blank lines take no memory. */
function linesOf(text: string, most: number): Line[] {
  const lines: Line[] = []
  let number = 1
  for (let start = 0; start < text.length && lines.length < most; number++) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    const json = end > start ? text.slice(start, end) : ''
    if (json.trim() !== '') lines.push({ json, index: lines.length, number })
    start = end + 1
  }
  return lines
}
