import { flawsOfAnswer } from '../../shared/document/answer-flaws.ts'
import { ASKS_LENGTH, OPEN_ASKS_LIMIT, openAsks } from '../../shared/document/asks.ts'
import type { AppliedEvent, JobEvent } from '../../shared/document/events.ts'
import { foldEvent } from '../../shared/document/fold.ts'
import type { Item, JobHeader, PatchHeader, Step } from '../../shared/document/job.ts'
import { ATTEMPT_LIMIT, type Limits } from '../../shared/document/limits.ts'
import { mergeHeader } from '../../shared/document/merge-header.ts'
import { countItems, isTerminalStatus } from '../../shared/document/selectors.ts'
import { utf8Length } from '../../shared/document/text-size.ts'
import { tokenSeries } from '../auth/access.ts'
import { type Problem, problems } from '../errors.ts'
import { addDeliveries, changeDelivery } from './background/deliveries.ts'
import { dueEvents } from './background/due.ts'
import type {
  AnswerTerms,
  Batch,
  Change,
  Commit,
  DueTerms,
  IdempotencyKey,
  Marks,
  Operation,
  StoredJob,
} from './engine.ts'
import { enter } from './generations.ts'

/** What an engine loads before it applies a batch. */
export interface Loaded {
  job: StoredJob
  /** Stored steps and items that the batch names (see {@link namedRows}). */
  step(id: string): Step | undefined
  item(id: string): Item | undefined
  /** The stored entry of the batch's key, if any. */
  key?: Pick<IdempotencyKey, 'digest'> | undefined
  /** The generation that applies the batch, for engines with generations. */
  generation?: string | undefined
}

/** What a batch does: a commit to write, the current header for a repeated key, or a refusal. */
export type Outcome = { commit: Commit } | { repeat: JobHeader } | { refused: Problem }

/** Ids of the rows that events name, for engines that must load them in advance. */
export function namedRows(events: readonly JobEvent[]): { steps: Set<string>; items: Set<string> } {
  const steps = new Set<string>()
  const items = new Set<string>()
  for (const event of events) {
    if (event.type === 'item') items.add(event.id)
    else if (event.type === 'step') steps.add(event.id)
  }
  return { steps, items }
}

/**
 * Computes what a batch does to a job: a commit for the engine to write, a repeat, or a refusal. Pure. Applies all of a batch or none.
 *
 * A repeated idempotency key is recognized before the job's status is checked, so that a producer that lost a response gets it even if the
 * job has ended since.
 */
export function applyBatch(loaded: Loaded, batch: Batch, limits: Limits): Outcome {
  const { header: before, marks } = loaded.job
  if (batch.createdBy !== undefined && batch.createdBy !== before.createdBy) return { refused: problems.notFound() }
  if (batch.epoch !== undefined && batch.epoch !== before.epoch) return { refused: problems.notFound() }
  if (batch.tokenSeries !== undefined && batch.tokenSeries !== tokenSeries(loaded.job)) {
    return { refused: problems.tokenEnded() }
  }
  if (batch.key && loaded.key) {
    return loaded.key.digest === batch.key.digest
      ? { repeat: before }
      : { refused: problems.invalid([{ field: 'Idempotency-Key', detail: 'was used before with another body' }]) }
  }
  if (batch.decide === 'end-tokens') return { commit: withMarks(loaded.job, nextSeries(loaded.job)) }
  if (typeof batch.decide === 'object' && 'delivery' in batch.decide) {
    const changed = changeDelivery(marks, batch.decide.delivery)
    return changed ? { commit: withMarks(loaded.job, changed) } : { repeat: before }
  }
  const events = batch.decide === undefined ? batch.events : decide(loaded.job, batch.decide, batch.at)
  if ('refused' in events) return events
  if (events.length === 0) return { repeat: before }
  return new Application(loaded, { ...batch, events }, limits, { ...marks }).run()
}

/** Converts a decision to events, or a refusal. No events when there is nothing to do. */
function decide(
  job: StoredJob,
  decision: Operation | DueTerms | { answer: AnswerTerms },
  at: string,
): JobEvent[] | { refused: Problem } {
  const { status } = job.header
  if (typeof decision === 'object') {
    return 'answer' in decision ? decideAnswer(job.header, decision.answer, at) : dueEvents(job, decision)
  }
  if (isTerminalStatus(status)) return { refused: problems.ended(status, `The job is ${status} already.`) }
  switch (decision) {
    case 'pause':
      return [{ type: 'control', pauseRequested: true }]
    case 'resume':
      return [{ type: 'control', pauseRequested: false }]
    case 'cancel': {
      const asked: JobEvent = { type: 'control', cancelRequested: true }
      // No producer has started, so the job ends at once.
      return status === 'pending' ? [asked, { type: 'status', status: 'cancelled' }] : [asked]
    }
  }
}

const nextSeries = (job: StoredJob): Marks => ({ ...job.marks, tokenSeries: tokenSeries(job) + 1 })

/** A commit that changes nothing but the marks. */
function withMarks({ header }: StoredJob, marks: Marks): Commit {
  return { header, marks, from: header.version, events: [], steps: [], items: [], errors: [], logs: [] }
}

const attemptOf = ({ attempt = 1 }: JobHeader): number => attempt

/** What the server adds to an ask: characters of JSON. */
const ASK_OVERHEAD = 256

/** The event for an answer, or why there is none. */
function decideAnswer(
  job: JobHeader,
  { ask: id, value, by, message }: AnswerTerms,
  at: string,
): JobEvent[] | { refused: Problem } {
  const ask = job.asks?.find((one) => one.id === id)
  if (!ask) return { refused: problems.noSuchAsk() }
  const { answer, schema, expired, expiresAt } = ask
  if (answer) {
    const detail = `${answer.by} has answered this at ${answer.at}: ${JSON.stringify(answer.value)}.`
    return { refused: { ...problems.conflict(detail), answered: answer } }
  }
  if (isTerminalStatus(job.status))
    return { refused: problems.ended(job.status, `The job is ${job.status}: it needs no answer any more.`) }
  if (expired || (expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(at)))
    return { refused: problems.conflict(`The time to answer ended at ${expiresAt}.`) }
  if (message !== undefined && message !== ask.message)
    return { refused: problems.conflict('The job asks something else by now. Read it, then answer that.') }
  const flaws = flawsOfAnswer(schema, value)
  return flaws.length > 0 ? { refused: problems.invalid(flaws) } : [{ type: 'answer', ask: id, value, by }]
}

/** The wake-up for a commit. */
export function changeOf({ header, marks, from, events }: Commit): Change {
  const { id, epoch, version } = header
  const change: Change = { id, epoch, from, to: version, events, header }
  if (marks.tokenSeries !== undefined) change.tokenSeries = marks.tokenSeries
  return change
}

/** Adds the fields that the server derives, so that the fold needs no clock and no settings. */
function eventAfter(before: JobHeader, event: JobEvent, { at, retentionSeconds }: Batch): AppliedEvent {
  const version = before.version + 1
  const applied: AppliedEvent = Object.assign({ type: event.type, version, at }, event)
  if (applied.type !== 'status') return applied
  if (retentionSeconds !== undefined && isTerminalStatus(applied.status)) {
    applied.expiresAt = new Date(Date.parse(at) + retentionSeconds * 1_000).toISOString()
  }
  if (applied.status === 'pending' && before.status !== 'pending')
    applied.attempt ??= Math.min(attemptOf(before) + 1, ATTEMPT_LIMIT)
  return applied
}

/** Folds one batch into a job. */
class Application {
  readonly #loaded: Loaded
  readonly #batch: Batch
  readonly #limits: Limits
  readonly #marks: Marks
  readonly #steps = new Map<string, Step>()
  readonly #items = new Map<string, Item>()
  #header: JobHeader

  constructor(loaded: Loaded, batch: Batch, limits: Limits, marks: Marks) {
    this.#loaded = loaded
    this.#batch = batch
    this.#limits = limits
    this.#marks = marks
    this.#header = loaded.job.header
  }

  run(): Outcome {
    const from = this.#header.version
    const commit: Commit = {
      header: this.#header,
      marks: this.#marks,
      from,
      events: [],
      steps: [],
      items: [],
      errors: [],
      logs: [],
    }
    for (const [index, event] of this.#batch.events.entries()) {
      const row = this.#row(event)
      const refused = this.#check(event, row, index)
      if (refused) return { refused }
      const applied = eventAfter(this.#header, event, this.#batch)
      if (index === 0) enter(this.#loaded.generation, this.#marks, applied)
      commit.events.push(applied)
      const patch = foldEvent(this.#header, { row, stepCount: this.#marks.stepCount }, applied)
      const step = patch.steps?.[0]
      const item = patch.items?.[0]
      const bytes = this.#marks.bytes
      this.#account(applied, row, step, item, patch.job)
      addDeliveries(this.#marks, this.#header, applied, this.#batch.webhookUrls)
      if (step) this.#steps.set(step.id, step)
      if (item) this.#items.set(item.id, item)
      if (patch.errors) commit.errors.push(...patch.errors)
      if (patch.logs) commit.logs.push(...patch.logs)
      this.#header = mergeHeader(this.#header, patch.job)
      // An event that doesn't grow the job passes even over the limit: an operator may have lowered it, and the job must be able to end.
      if (this.#marks.bytes > Math.max(bytes, this.#limits.documentBytes))
        return { refused: this.#tooLarge(event, index) }
    }
    commit.header = this.#header
    commit.steps.push(...this.#steps.values())
    commit.items.push(...this.#items.values())
    return { commit }
  }

  #row(event: JobEvent): Step | Item | undefined {
    if (event.type === 'item') return this.#items.get(event.id) ?? this.#loaded.item(event.id)
    if (event.type === 'step') return this.#steps.get(event.id) ?? this.#loaded.step(event.id)
    return undefined
  }

  #check(event: JobEvent, row: Step | Item | undefined, index: number): Problem | undefined {
    const { status } = this.#header
    const name = (key: string) => this.#field(index, key)
    if (isTerminalStatus(status)) {
      return problems.ended(status, `The job is ${status}: it accepts no more events.`, [
        { field: name('type'), detail: `the job is ${status}` },
      ])
    }
    const attempt = attemptOf(this.#header)
    if (event.type === 'status' && event.attempt !== undefined && event.attempt < attempt)
      return problems.invalid([{ field: name('attempt'), detail: `must be at least ${attempt}: attempts only rise` }])
    if (event.type === 'ask') return this.#checkAsk(event, index)
    if (event.type === 'item' && !row && countItems(this.#header) >= this.#limits.items) {
      return problems.tooLarge(`A job has at most ${this.#limits.items} items.`, [
        { field: name('id'), detail: 'is one item too many' },
      ])
    }
    if (event.type === 'step' && !row && this.#marks.stepCount >= this.#limits.steps) {
      return problems.tooLarge(`A job has at most ${this.#limits.steps} steps.`, [
        { field: name('id'), detail: 'is one step too many' },
      ])
    }
    return undefined
  }

  #checkAsk(event: Extract<JobEvent, { type: 'ask' }>, index: number): Problem | undefined {
    const open = openAsks(this.#header)
    const known = this.#header.asks?.find(({ id }) => id === event.id)
    if (!known && open.length >= OPEN_ASKS_LIMIT) {
      return problems.tooLarge(`A job has at most ${OPEN_ASKS_LIMIT} open asks.`, [
        { field: this.#field(index, 'id'), detail: 'is one open ask too many' },
      ])
    }
    const others = open.filter(({ id }) => id !== event.id)
    if (JSON.stringify([...others, event]).length + ASK_OVERHEAD <= ASKS_LENGTH) return undefined
    return problems.tooLarge(`The open asks of a job have at most ${ASKS_LENGTH} characters of JSON together.`, [
      { field: this.#field(index, 'message'), detail: 'would be too much together with the other open asks' },
    ])
  }

  #tooLarge(event: JobEvent, index: number): Problem {
    const { documentBytes } = this.#limits
    const key = 'id' in event ? 'id' : 'result' in event ? 'result' : 'metadata'
    return problems.tooLarge(`The job would take more than ${documentBytes} bytes. Report fewer or shorter items.`, [
      { field: this.#field(index, key), detail: `would take the job over ${documentBytes} bytes` },
    ])
  }

  /** The name of an event's field: `done`, or `3.done` in a batch of several. */
  #field(index: number, key: string): string {
    return this.#batch.events.length > 1 ? `${index}.${key}` : key
  }

  #account(
    event: AppliedEvent,
    before: Step | Item | undefined,
    step: Step | undefined,
    item: Item | undefined,
    after: PatchHeader,
  ): void {
    const marks = this.#marks
    const row = step ?? item
    if (row) marks.bytes += rowBytes(row) - rowBytes(before)
    if (step && step.index === marks.stepCount) marks.stepCount += 1
    if (event.type === 'status') {
      if (event.result !== undefined) {
        marks.bytes += jsonBytes(event.result) - jsonBytes(this.#header.result)
        marks.resultVersion = event.version
      }
      if (event.metadata !== undefined) {
        marks.bytes += jsonBytes(event.metadata) - jsonBytes(this.#header.metadata)
        marks.metadataVersion = event.version
      }
    }
    if (event.type === 'ask' || event.type === 'answer')
      marks.bytes += jsonBytes(after.asks) - jsonBytes(this.#header.asks)
    if (event.type === 'control' && event.cancelRequested) marks.cancelRequestedAt ??= event.at
  }
}

/** Approximate JSON size of a row without text: bytes. */
const BARE_ROW = 80

function rowBytes(row: Step | Item | undefined): number {
  if (!row) return 0
  let bytes = BARE_ROW
  for (const value of Object.values(row)) if (typeof value === 'string') bytes += utf8Length(value)
  return bytes
}

function jsonBytes(value: unknown): number {
  return value === undefined || value === null ? 0 : utf8Length(JSON.stringify(value))
}

/** Bytes of a new job, as counted against the limit. */
export function headerBytes(header: JobHeader): number {
  return jsonBytes(header)
}
