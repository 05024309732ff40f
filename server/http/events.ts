import type { Context } from 'hono'
import { isEpoch } from '../../shared/document/cursor.ts'
import { createEventSchema, isShallow, JSON_DEPTH, type ProducerEvent } from '../../shared/document/events.ts'
import { fitsUtf8 } from '../../shared/document/text-size.ts'
import type { Receipt } from '../../shared/producer/batcher.ts'
import { createRequestSchemas } from '../../shared/wire/api.ts'
import type { Principal } from '../auth/access.ts'
import { ERRORS_NAMED, type FieldError, fieldErrors, problems, refuse } from '../errors.ts'
import { digestOf } from '../support/digest.ts'
import { shapeOf } from './body/json-text.ts'
import { atMost, lengthOf, readBytes, requireType, textOf } from './body/validation.ts'
import type { App, RouteContext } from './context.ts'
import { identify, identifyCached } from './identify.ts'
import { idempotencyKey } from './request-parameters.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'
const TYPES = [JSON_TYPE, NDJSON_TYPE]

/** Length from which a body waits for its turn, because parsing it blocks the event loop for a good part of a millisecond: characters. */
const LARGE_BODY = 16 * 1_024

/** Events validated in one step: about a millisecond. */
const STEP_EVENTS = 100

/** A no-op `next()`. */
const noNext = async () => {}

/**
 * The route to publish events.
 *
 * It is the most frequent request, and each middleware would cost as much as the validation. So one handler does everything, registered
 * before the middleware of the other routes.
 */
export function eventRoutes(app: App, context: RouteContext): void {
  const { auth, clock, jobs, limits, metrics, onEach, rates, turns } = context
  const eventSchema = createEventSchema(limits)
  const schemas = createRequestSchemas(limits)
  const limitBody = atMost(limits.bodyBytes, clock)
  // As much as one event may have: a body of nothing else would hold the event loop for a second.
  const mostNested = limits.resultBytes + limits.metadataBytes
  // One line over the limit is enough to refuse the batch.
  const most = limits.batchEvents + 1

  app.post('/api/jobs/:id/events', async (c) => {
    const start = clock.monotonic()
    await onEach(c, noNext)
    const principal = identifyCached(c, auth) ?? (await identify(c, context))
    const length = lengthOf(c)
    // Counts at most the limit: a client can claim any length, and a guest's request counts against the maker of the token.
    rates.takePublish(principal, length === undefined ? undefined : Math.min(length, limits.bodyBytes))
    if (length === undefined || length > limits.bodyBytes) await limitBody(c, noNext)
    const type = requireType(c, TYPES)
    const bytes = await readBytes(c, length, clock)
    if (length === undefined) rates.takePublishBytes(principal, bytes.byteLength)
    const text = textOf(bytes)
    const steps = eventsOf(text, type, bytes.byteLength)
    const { sub } = principal
    const receipt =
      turns && text.length > LARGE_BODY
        ? await turns.runHeavy(sub, bytes.byteLength, async () => {
            const events = await turns.runSteps(sub, steps)
            return publish(c, principal, events, bytes.byteLength, (toDigest) => turns.run(sub, toDigest))
          })
        : await publish(c, principal, lastOf(steps), bytes.byteLength)
    metrics.timePublish(clock.monotonic() - start)
    return c.json(receipt)
  })

  async function publish(
    c: Context,
    principal: Principal,
    events: ProducerEvent[],
    bytes: number,
    inTurn: <T>(work: () => T) => T | Promise<T> = (work) => work(),
  ): Promise<Receipt> {
    const name = idempotencyKey(c, schemas.idempotencyKey)
    const epoch = epochOf(c)
    const key = name === undefined ? undefined : { key: name, digest: await inTurn(() => digestOf(events)) }
    return jobs.publish(principal, c.req.param('id') ?? '', events, key, epoch, bytes)
  }

  /** Parses and validates the events of a body, in steps of a few milliseconds. @throws ProblemError 400, 413, 422 */
  function* eventsOf(text: string, type: string, bytes: number): Generator<undefined, ProducerEvent[]> {
    const lines = type === NDJSON_TYPE ? linesOf(text, most) : undefined
    const isLarge = text.length > LARGE_BODY
    const longest = isLarge ? checkShape(lines ?? text) : text.length
    if (isLarge) yield
    const maybeTooLong = bytes > limits.eventBytes && longest * ESCAPED > limits.eventBytes
    const body = lines ? parseLines(lines) : parseJson(text)
    if (isLarge) yield
    return yield* validate(body, maybeTooLong)
  }

  /**
   * Refuses a body that would take long to parse and be refused afterwards.
   *
   * @returns characters of the longest event
   * @throws ProblemError 413, 422
   */
  function checkShape(body: string | readonly Line[]): number {
    const isLines = typeof body !== 'string'
    let longestOfAll = 0
    let nestedInAll = 0
    let eventsInAll = 0
    for (const [index, { json }] of (isLines ? body : [{ json: body }]).entries()) {
      const { longest, events, nested, fields, tooDeep } = shapeOf(json, MAX_DEPTH)
      if (tooDeep !== undefined) {
        const detail = `must be nested at most ${JSON_DEPTH} deep`
        throw refuse(problems.invalid([{ field: isLines ? `${index}.${tooDeep}` : tooDeep, detail }]))
      }
      if (longest > limits.eventBytes * ESCAPED) {
        const detail = `has an event that is longer than ${limits.eventBytes} bytes`
        throw refuse(problems.tooLarge(`The body ${detail}.`, [{ field: 'body', detail }]))
      }
      if (fields > MAX_FIELDS) {
        const detail = `has an event with more than ${MAX_FIELDS} fields`
        throw refuse(problems.invalid([{ field: 'body', detail }]))
      }
      longestOfAll = Math.max(longestOfAll, longest)
      nestedInAll += nested
      eventsInAll += events
    }
    // A single event is cheap enough to parse, and only its parsed form tells whether it is too large: numbers can have zeros, and keys repeat.
    if (eventsInAll > 1 && nestedInAll > mostNested) {
      const detail = `has more than ${mostNested} bytes of results and metadata`
      throw refuse(problems.tooLarge(`The body ${detail}. Send several batches.`, [{ field: 'body', detail }]))
    }
    return longestOfAll
  }

  /**
   * Validates the events of a body. In a batch, errors prefix the field with the index of the event, from 0.
   *
   * @param maybeTooLong whether to measure each event
   * @throws ProblemError 413, 422
   */
  function* validate(body: unknown, maybeTooLong: boolean): Generator<undefined, ProducerEvent[]> {
    const batch = Array.isArray(body) ? body : [body]
    if (batch.length === 0) throw refuse(problems.invalid([{ field: 'events', detail: 'must be at least one' }]))
    if (batch.length > limits.batchEvents) {
      const detail = `are too many; a batch has at most ${limits.batchEvents}`
      throw refuse(problems.tooLarge(`events: ${detail}. Send several batches.`, [{ field: 'events', detail }]))
    }
    const errors: FieldError[] = []
    const events: ProducerEvent[] = []
    for (const [index, value] of batch.entries()) {
      const prefix = Array.isArray(body) ? `${index}` : ''
      if (maybeTooLong && !isWithin(value, limits.eventBytes)) {
        const field = prefix || 'event'
        const detail = `is longer than ${limits.eventBytes} bytes`
        throw refuse(problems.tooLarge(`${field}: ${detail}.`, [{ field, detail }]))
      }
      const event = eventSchema.safeParse(value)
      if (event.success) events.push(event.data)
      else errors.push(...fieldErrors(event.error, prefix))
      if (errors.length >= ERRORS_NAMED) break
      // A result may have thousands of keys: what follows it gets a step of its own.
      const isHeavy = event.data?.type === 'status' && event.data.result !== undefined
      if (isHeavy || index % STEP_EVENTS === STEP_EVENTS - 1) yield
    }
    if (errors.length > 0) throw refuse(problems.invalid(errors.slice(0, ERRORS_NAMED)))
    return events
  }
}

/** Most fields of an event; no type of event has half as many. */
const MAX_FIELDS = 32
/** Runs all steps at once. */
function lastOf<T>(steps: Iterator<unknown, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Levels of arrays and objects that are parsed at all; an event may have fewer. */
const MAX_DEPTH = 200
/**
 * Most characters of JSON per character of text: `\\u0041`. Also more than the bytes of JSON written per character read: at most three for
 * text, fewer than six for a number such as `1e20`.
 */
const ESCAPED = 6

/** The `?epoch=` of a request, if any. @throws ProblemError 422 if it is not in the form of an epoch */
function epochOf(c: Context): string | undefined {
  const epoch = c.req.query('epoch')
  if (epoch === undefined || isEpoch(epoch)) return epoch
  throw refuse(problems.invalid([{ field: 'epoch', detail: 'must be the epoch of a job' }]))
}

/** Whether the JSON of a value fits. A value that is nested too deeply passes: measuring it takes a second, and the schema refuses it. */
function isWithin(value: unknown, bytes: number): boolean {
  return !isShallow(value, JSON_DEPTH + 1) || fitsUtf8(JSON.stringify(value), bytes)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refuse(problems.malformed('The body is not valid JSON.', [{ field: 'body', detail: 'is not valid JSON' }]))
  }
}

/** A line of a body, numbered from 1. */
interface Line {
  number: number
  json: string
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
  let number = 0
  for (let start = 0; start < text.length && lines.length < most; number++) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    const json = end > start ? text.slice(start, end) : ''
    if (json.trim() !== '') lines.push({ number: number + 1, json })
    start = end + 1
  }
  return lines
}
