import fc from 'fast-check'
import type { AnswerEvent, AppliedEvent, ControlEvent, JobEvent, ProducerEvent } from '../shared/document/events.ts'
import { applyEvent } from '../shared/document/fold.ts'
import {
  itemStatuses,
  type Job,
  type JobHeader,
  type JobStatus,
  jobStatuses,
  logLevels,
} from '../shared/document/job.ts'
import { isTerminalStatus } from '../shared/document/selectors.ts'

/** The moment at which {@link newHeader} is created; the event at version v is taken v seconds later. */
export const CREATED_AT = '2026-01-01T00:00:00.000Z'

/** The header of a job that was just created: version 1. */
export function newHeader(fields: Partial<JobHeader> = {}): JobHeader {
  return {
    id: 'job-1',
    epoch: 'e1',
    version: 1,
    kind: 'import',
    title: 'Import of contacts',
    owner: 'ada',
    createdBy: 'importer',
    status: 'pending',
    progress: { done: 0 },
    itemCounts: { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 },
    errorCount: 0,
    logCount: 0,
    cancelRequested: false,
    pauseRequested: false,
    createdAt: CREATED_AT,
    updatedAt: CREATED_AT,
    lastEventAt: CREATED_AT,
    ...fields,
  }
}

/** The document of a job that was just created: version 1, no rows. */
export function newDocument(fields: Partial<JobHeader> = {}): Job {
  return { ...newHeader(fields), steps: [], items: [], errors: [], logs: [] }
}

/** The moment of the event at a version: ISO 8601. */
export function instantOf(version: number): string {
  return new Date(Date.parse(CREATED_AT) + version * 1_000).toISOString()
}

/** Events in their places, the first at `from`. */
export function placed(events: readonly JobEvent[], from = 2): AppliedEvent[] {
  return events.map((event, index) => ({ ...event, version: from + index, at: instantOf(from + index) }))
}

/** What a document comes to after events: the right side of every law. */
export function foldAll(document: Job, events: readonly AppliedEvent[]): Job {
  return events.reduce(applyEvent, document)
}

/** Any well-formed text, with the characters that break careless framings and encodings at every turn. */
export const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '\r\n',
    '\n\ndata: forged\n\n',
    '\0',
    '\u2028\u2029',
    '\ufeff',
    '😀',
    '中文',
    'e\u0301',
    '"\\',
  ),
)

/** Text that a name may be: not blank. */
export const name = text.filter((value) => value.trim() !== '')

/** An id of an item or step. Few, so that events meet the same rows again and again. */
export const rowId = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('a', 'b', 'c', 'd') },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'a/b', ' a', '😀') },
)

/** What producers count. No -0, which JSON can't write. */
export const amount = fc.oneof(
  fc.nat({ max: 1_000 }),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
)

/** Any JSON, as it is after a trip over the wire. */
export const json = fc.jsonValue({ maxDepth: 3 }).map((value): unknown => JSON.parse(JSON.stringify(value)))

/** JSON that is an object. Without the key `__proto__`, which the schema drops. */
export const jsonObject = fc
  .dictionary(fc.string({ maxLength: 5 }), json, { maxKeys: 3 })
  .map((value): Record<string, unknown> => JSON.parse(JSON.stringify(value)))
  .filter((value) => !Object.hasOwn(value, '__proto__'))

/** A percentage of one item. */
const percent = fc.integer({ min: 0, max: 100 })

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 4 })

/** Fields of which each may be missing. */
const some = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T, never>(model, { requiredKeys: [] })

export const progressEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(
    amount,
    some({
      total: orNull(amount),
      succeeded: orNull(amount),
      failed: orNull(amount),
      unit: orNull(name),
      message: orNull(text),
    }),
  )
  .map(([done, fields]) => ({ type: 'progress', done, ...fields }))

export const statusEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(
    fc.constantFrom(...jobStatuses),
    some({
      message: orNull(text),
      result: json,
      title: name,
      metadata: orNull(jsonObject),
      attempt: fc.integer({ min: 1, max: 5 }),
    }),
  )
  .map(([status, fields]) => ({ type: 'status', status, ...fields }))

export const itemEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(
    rowId,
    some({
      status: fc.constantFrom(...itemStatuses),
      label: orNull(name),
      progress: orNull(percent),
      message: orNull(text),
      error: orNull(text),
    }).filter((fields) => Object.keys(fields).length > 0),
  )
  .map(([id, fields]) => ({ type: 'item', id, ...fields }))

export const stepEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(
    rowId,
    some({
      status: fc.constantFrom(...itemStatuses),
      label: orNull(name),
      done: orNull(amount),
      total: orNull(amount),
      message: orNull(text),
      weight: orNull(amount),
    }).filter((fields) => Object.keys(fields).length > 0),
  )
  .map(([id, fields]) => ({ type: 'step', id, ...fields }))

export const errorEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(text, some({ code: name, itemId: rowId }))
  .map(([message, fields]) => ({ type: 'error', message, ...fields }))

export const logEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(text, some({ level: fc.constantFrom(...logLevels) }))
  .map(([message, fields]) => ({ type: 'log', message, ...fields }))

export const controlEvent: fc.Arbitrary<ControlEvent> = some({
  cancelRequested: fc.boolean(),
  pauseRequested: fc.boolean(),
}).map((fields) => ({ type: 'control', ...fields }))

const askField = fc.oneof(
  fc.constantFrom({ type: 'boolean' } as const, { type: 'integer', minimum: 0 } as const),
  fc.record(
    { type: fc.constant('string' as const), title: text, enum: fc.constantFrom<string[]>(['a', 'b']) },
    // As JSON makes objects: on Deno, one without a prototype equals none that has one.
    { noNullPrototype: true },
  ),
)

export const askEvent: fc.Arbitrary<ProducerEvent> = fc
  .tuple(
    rowId,
    text,
    some({
      schema: fc.oneof(
        askField,
        askField.map((reason) => ({ type: 'object' as const, properties: { reason } })),
      ),
      expiresAt: fc.constantFrom(instantOf(30), instantOf(100_000)),
    }),
  )
  // As it is after a trip over the wire: an object with a prototype.
  .map(([id, message, fields]) => JSON.parse(JSON.stringify({ type: 'ask', id, message, ...fields })))

/** What the server writes when an ask is answered, or nobody did in time. */
export const answerEvent: fc.Arbitrary<AnswerEvent> = fc.oneof(
  fc.record({ type: fc.constant('answer' as const), ask: rowId, value: fc.boolean(), by: name }),
  fc.record({ type: fc.constant('answer' as const), ask: rowId }),
)

/** Any one event that a producer may send, legal at this moment or not. */
export const producerEvent: fc.Arbitrary<ProducerEvent> = fc.oneof(
  progressEvent,
  statusEvent,
  itemEvent,
  stepEvent,
  errorEvent,
  logEvent,
  askEvent,
)

/** A job's whole history after its creation, every event of it legal and as the server applies it: attempts are counted, nothing follows the end. */
export const history: fc.Arbitrary<JobEvent[]> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: producerEvent },
      { weight: 1, arbitrary: controlEvent },
      { weight: 1, arbitrary: answerEvent },
    ),
    {
      maxLength: 40,
      size: 'max',
    },
  )
  .map(legal)

/** The same while the job lives: no terminal status. */
export const liveHistory: fc.Arbitrary<JobEvent[]> = history.map((events) =>
  events.filter((event) => event.type !== 'status' || !isTerminalStatus(event.status)),
)

/** The events that a job would take, up to its end. Rarely an end, so that histories stay long: only the second is taken. */
function legal(events: JobEvent[]): JobEvent[] {
  const taken: JobEvent[] = []
  let status: JobStatus = 'pending'
  let attempt = 1
  let ends = 0
  for (const event of events) {
    if (event.type !== 'status') {
      taken.push(event)
      continue
    }
    if (isTerminalStatus(event.status) && ++ends < 2) continue
    if ((event.attempt ?? attempt) < attempt) continue
    const next = event.status === 'pending' && status !== 'pending' ? attempt + 1 : undefined
    const said = event.attempt ?? next
    taken.push(said === undefined ? event : { ...event, attempt: said })
    status = event.status
    attempt = said ?? attempt
    if (isTerminalStatus(status)) break
  }
  return taken
}
