import { isDeepStrictEqual } from 'node:util'
import { openAsks } from '../../../shared/document/asks.ts'
import { createEventSchema, type JobEvent } from '../../../shared/document/events.ts'
import { applyEvent } from '../../../shared/document/fold.ts'
import type { Job, JobHeader } from '../../../shared/document/job.ts'
import { ATTEMPT_LIMIT, type Limits } from '../../../shared/document/limits.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { JobEvents, Receipt } from '../../../shared/wire/api.ts'

/** A request that was made, and what it got. */
export interface Exchange {
  method: string
  /** Without the query. */
  path: string
  query: URLSearchParams
  type: string
  headers: Headers
  body: Uint8Array | undefined
  status: number
  text: string
  /** When: ISO 8601. */
  at: string
}

interface Known {
  job: Job
  /** Whether the server may have removed it on request. */
  mayBeGone?: boolean
}

const EVENTS = /^\/api\/jobs\/([^/]+)\/events$/
const OPERATION = /^\/api\/jobs\/([^/]+)\/(cancel|pause|resume)$/
const ANSWER = /^\/api\/jobs\/([^/]+)\/answers\/([^/]+)$/
const JOB = /^\/api\/jobs\/([^/]+)$/

/** What the server has said that it took: the documents that its jobs have to be, by the fold of what was acknowledged. */
export class Acknowledged {
  readonly jobs = new Map<string, Known>()
  readonly #schema: ReturnType<typeof createEventSchema>
  readonly #retentionSeconds: number

  constructor(limits: Limits, retentionSeconds: number) {
    this.#schema = createEventSchema(limits)
    this.#retentionSeconds = retentionSeconds
  }

  /** Learns from an answer. @returns what is wrong with it, seen beside all that was acknowledged before */
  learn(exchange: Exchange): string | undefined {
    const { method, path, status, text } = exchange
    if (method === 'POST' && path === '/api/jobs' && status === 201) {
      const job: Job = JSON.parse(text)
      const before = this.jobs.get(job.id)
      if (before && !before.mayBeGone) return `${job.id} is created, and was there`
      this.jobs.set(job.id, { job })
      return undefined
    }
    if (method === 'DELETE' && path === '/api/jobs' && status === 202) {
      for (const known of this.jobs.values())
        known.mayBeGone ||= isTerminalStatus(known.job.status) || mayEndByItself(known.job)
      return undefined
    }
    if (method === 'POST' && path === '/api/events' && status === 200) return this.#publishAll(exchange)
    if (path === '/api/cloudevents' && status === 200) return this.#publishCloudEvents(exchange)
    const id = decode((EVENTS.exec(path) ?? OPERATION.exec(path) ?? ANSWER.exec(path) ?? JOB.exec(path))?.[1])
    const known = this.jobs.get(id)
    if (method === 'DELETE' && status === 204) this.jobs.delete(id)
    else if (known && method === 'POST' && status === 200 && EVENTS.test(path)) return this.#publish(known, exchange)
    else if (known && method === 'POST' && status === 202 && ANSWER.test(path)) return this.#answer(known, exchange)
    else if (known && method === 'POST' && status === 202) return this.#operate(known, exchange)
    else if (known && method === 'GET' && status === 200 && JOB.test(path) && [...exchange.query.keys()].length === 0)
      return this.compare(id, JSON.parse(text))
    return undefined
  }

  /** What is wrong with a document as the server gives it. */
  compare(id: string, job: Job | undefined): string | undefined {
    const known = this.jobs.get(id)
    if (!known) return undefined
    if (!job) return known.mayBeGone ? this.#forget(id) : `${id} is gone`
    if (mayEndByItself(known.job) && isTerminalStatus(job.status) && job.version > known.job.version)
      return this.#forget(id)
    if (hasExpiringAsk(known.job)) return this.#forget(id)
    if (isDeepStrictEqual(job, known.job)) return undefined
    return `${id} is not what was acknowledged:\n${JSON.stringify(job)}\ninstead of\n${JSON.stringify(known.job)}`
  }

  #forget(id: string): undefined {
    this.jobs.delete(id)
  }

  #publish(known: Known, { type, body, text, at }: Exchange): string | undefined {
    const values = valuesOf(type, body)
    return this.#take(known, values, JSON.parse(text), at)
  }

  #publishAll({ type, body, text, at }: Exchange): string | undefined {
    const batches = valuesOf(type, body)
    const answers: Partial<Receipt>[] = JSON.parse(text)
    if (answers.length !== batches.length) return `${answers.length} answers to ${batches.length} batches`
    for (const [index, answer] of answers.entries()) {
      if (answer.version === undefined) continue
      const { job, events } = batches[index] as JobEvents
      const known = this.jobs.get(job)
      const fault = known && this.#take(known, events, answer as Receipt, at)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  #publishCloudEvents({ type, headers, body, text, at }: Exchange): string | undefined {
    const sent: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body) || '{}')
    const attributes = { subject: decode(headers.get('ce-subject') ?? ''), type: decode(headers.get('ce-type') ?? '') }
    const events = type.toLowerCase().startsWith('application/json') ? [{ ...attributes, data: sent }] : [sent].flat()
    const answers: Partial<Receipt>[] = [JSON.parse(text)].flat()
    if (answers.length !== events.length) return `${answers.length} answers to ${events.length} events`
    for (const [index, answer] of answers.entries()) {
      if (answer.version === undefined) continue
      const one = events[index] as { subject: string; type: string; data?: object }
      const known = this.jobs.get(one.subject)
      const event = { ...one.data, type: one.type.replace('milepost.', '') }
      const fault = known && this.#take(known, event, answer as Receipt, at)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  #take(known: Known, values: unknown, { version }: Receipt, at: string): string | undefined {
    let events: JobEvent[]
    try {
      events = [values].flat().map((value) => this.#schema.parse(value))
    } catch (error) {
      return `it takes what is no event: ${error}`
    }
    if (hasExpiringAsk(known.job)) return this.#forget(known.job.id)
    // The same request as before.
    if (version === known.job.version) return undefined
    if (version !== known.job.version + events.length) return `version ${version} after ${known.job.version}`
    this.#apply(known, events, at)
    return undefined
  }

  #answer(known: Known, { path, text, body, at }: Exchange): string | undefined {
    const { version, asks = [] }: JobHeader = JSON.parse(text)
    if (hasExpiringAsk(known.job)) return this.#forget(known.job.id)
    if (version === known.job.version) return undefined
    const ask = decode(ANSWER.exec(path)?.[2])
    const { value } = JSON.parse(new TextDecoder().decode(body))
    this.#apply(known, [{ type: 'answer', ask, value, by: asks.find(({ id }) => id === ask)?.answer?.by ?? '' }], at)
    return version === known.job.version ? undefined : `the answer to ${ask} answers ${text}`
  }

  #operate(known: Known, { path, text, at }: Exchange): string | undefined {
    if (hasExpiringAsk(known.job)) return this.#forget(known.job.id)
    const operation = OPERATION.exec(path)?.[2]
    const header: JobHeader = JSON.parse(text)
    const asked: JobEvent =
      operation === 'cancel'
        ? { type: 'control', cancelRequested: true }
        : { type: 'control', pauseRequested: operation === 'pause' }
    const ended: JobEvent[] = header.version === known.job.version + 2 ? [{ type: 'status', status: 'cancelled' }] : []
    this.#apply(known, [asked, ...ended], at)
    const { steps: _steps, items: _items, errors: _errors, logs: _logs, ...expected } = known.job
    return isDeepStrictEqual(header, expected) ? undefined : `${operation} answers ${text}`
  }

  #apply(known: Known, events: readonly JobEvent[], at: string): void {
    const expiresAt = new Date(Date.parse(at) + this.#retentionSeconds * 1_000).toISOString()
    for (const event of events) {
      const end = event.type === 'status' && isTerminalStatus(event.status) ? { expiresAt } : {}
      const again = attemptAgain(known.job, event)
      known.job = applyEvent(known.job, { ...event, ...end, ...again, version: known.job.version + 1, at })
    }
  }
}

/** Whether the server closes an ask of the job by itself, in an event that nobody is told of. */
const hasExpiringAsk = (job: Job) => openAsks(job).some(({ expiresAt }) => expiresAt !== undefined)

/** The attempt that the server adds when a job is to be tried again. */
function attemptAgain({ status, attempt = 1 }: Job, event: JobEvent): { attempt?: number } {
  const isAgain = event.type === 'status' && event.status === 'pending' && status !== 'pending'
  return isAgain ? { attempt: event.attempt ?? Math.min(attempt + 1, ATTEMPT_LIMIT) } : {}
}

function valuesOf(type: string, body: Uint8Array = new Uint8Array()): unknown[] {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  if (!type.toLowerCase().startsWith('application/x-ndjson')) return [JSON.parse(text)].flat()
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line))
}

/** Whether the server ends the job when nothing more is heard of it. */
const mayEndByItself = ({ timeoutSeconds, cancelRequested }: Job) => timeoutSeconds !== undefined || cancelRequested

function decode(segment = ''): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
