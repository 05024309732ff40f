import type { AnswerValue } from '../../shared/document/ask-schema.ts'
import { closedAsks } from '../../shared/document/asks.ts'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { isAnyJobId, isJobId, type JobHeader } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { type Random, randomId } from '../../shared/time/clock.ts'
import type { CreateJob, CreateToken, Receipt, RemoveQuery } from '../../shared/wire/api.ts'
import {
  type Action,
  fullName,
  isAdmin,
  type Principal,
  permit,
  permitOwner,
  requireScope,
  tokenSeries,
} from '../auth/access.ts'
import type { Auth } from '../auth/auth.ts'
import { problems, refuse } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { unorderedDigestOf } from '../support/digest.ts'
import { headerBytes } from './apply-batch.ts'
import { Removals } from './background/removals.ts'
import type { StoreOutage } from './background/store-outage.ts'
import type { Applied, Batch, Documents, Engine, IdempotencyKey, ListQuery, Operation, StoredJob } from './engine.ts'
import { keyHorizon } from './idempotency.ts'
import type { ListCursors } from './paging/list-cursors.ts'
import { TextFilter } from './paging/text-filter.ts'
import { Retries } from './retries.ts'
import { documentsOf } from './tenant-documents.ts'
import type { TrustedClock } from './trusted-clock.ts'

/** Recommended time for producers to gather events before a flush: milliseconds. */
export const FLUSH_MS = { watched: 250, unwatched: 5_000 }

interface JobsContext {
  engine: Engine
  /** Whether a job has followers in this process. @param tenant of whoever knows the job by the names of this header */
  isWatched: (header: JobHeader, tenant: string | undefined) => boolean
  auth: Auth
  cursors: ListCursors
  limits: Limits
  clock: TrustedClock
  random: Random
  metrics: Metrics
  outage: StoreOutage
  /** Retention of ended jobs: seconds. */
  retentionSeconds: number
  webhooks: {
    /** URLs in the server's settings, which are notified of every job. */
    urls: readonly string[]
    /** Why a job may not notify a URL; `undefined` if it may. */
    flawOf(url: string): string | undefined
    /** Called when a job may have webhooks to deliver: it has ended, or asked something. */
    onDue(): void
  }
}

/** A list that is read step by step. */
export interface OpenList {
  /** The next jobs: at most `limit`, and about `maxBytes` of JSON, but at least one; of a search there may be none before the last. */
  read(size: Pick<ListQuery, 'limit' | 'maxBytes'>): Promise<{ jobs: JobHeader[]; isLast: boolean }>
  /** The sealed cursor after what was read; `undefined` at the end of the list. */
  nextCursor(): Promise<string | undefined>
}

/**
 * Operations on jobs, with their access checks. All throw `ProblemError`s.
 *
 * A principal of a tenant works with the documents of that tenant, under the names that they have there.
 */
export class Jobs {
  readonly #context: Omit<JobsContext, 'engine'>
  readonly #documentsOf: (principal: Principal) => Documents
  readonly #removals: Removals
  readonly #retries: Retries
  #written = { ms: Number.NaN, text: '' }

  constructor({ engine, ...context }: JobsContext) {
    this.#context = context
    this.#documentsOf = ({ tenant }) => documentsOf(engine, tenant)
    this.#removals = new Removals(context.clock)
    this.#retries = new Retries({ ...context, notes: engine.notes, documentsOf: this.#documentsOf })
  }

  /** Creates a job, or returns the one that the same request created before. */
  async create(principal: Principal, input: CreateJob, key?: string): Promise<{ header: JobHeader; created: boolean }> {
    requireScope(principal, 'jobs:write')
    permitOwner(principal, input.owner ?? principal.sub)
    const { limits } = this.#context
    this.#checkNotify(input)
    const job = await this.#newJob(principal, input, key)
    if (input.retryOf !== undefined) await this.#retries.note(principal, job, input.retryOf)
    const keptLimit = { jobs: limits.keptJobs, bytes: limits.keptBytes }
    const liveLimit = isAdmin(principal) ? {} : { liveLimit: limits.liveJobs }
    const created = await this.#documentsOf(principal).create({ ...job, keptLimit, ...liveLimit })
    if ('refused' in created) throw refuse(created.refused)
    const { header, marks } = created.job
    const isRepeat = header.createdBy === principal.sub && marks.requestDigest === job.marks.requestDigest
    if (!created.created && !isRepeat) {
      const field = input.id === undefined ? 'Idempotency-Key' : 'id'
      throw refuse(problems.conflict(`${field}: is taken. Choose another.`, [{ field, detail: 'is taken' }]))
    }
    return { header, created: created.created }
  }

  /**
   * Applies a producer's batch. All events pass here, also those of services in this process.
   *
   * @param events validated by the schema; not empty
   * @param epoch required epoch of the job; omitted: any
   * @param bytes approximate JSON size of the events
   */
  async publish(
    principal: Principal,
    id: string,
    events: ProducerEvent[],
    key?: IdempotencyKey,
    epoch?: string,
    bytes = 0,
  ): Promise<Receipt> {
    if (!isIdFor(principal, id)) throw refuse(problems.notFound())
    const batch: Batch = { events, at: this.#now(), bytes }
    if (key) this.#addKey(batch, key)
    if (epoch !== undefined) batch.epoch = epoch
    // The usual producer needs no read beforehand: the engine compares it with the job's creator in the commit.
    const isUsual = !principal.jobs && !isAdmin(principal) && principal.scopes.includes('jobs:write')
    // For others the creator is read first, and has to be the same in the commit.
    if (isUsual) batch.createdBy = principal.sub
    else {
      const stored = await this.read(principal, id, 'publish')
      const { header } = stored
      batch.createdBy = header.createdBy
      if (epoch !== undefined && epoch !== header.epoch) throw refuse(problems.notFound())
      // A token is valid for one epoch of its job, and the next may have begun by the commit.
      if (principal.jobs) {
        batch.epoch = header.epoch
        batch.tokenSeries = tokenSeries(stored)
      }
    }
    const applied = await this.#apply(principal, id, batch)
    if ('refused' in applied && applied.refused.status === 404) await this.read(principal, id, 'publish')
    const header = this.#count(applied, events.length)
    if (header.openAsks && events.some(({ type }) => type === 'ask')) this.#context.webhooks.onDue()
    return this.#receipt(principal, header, 'watched' in applied, events)
  }

  /** The receipt of a batch without events: what watchers ask of the job. @param epoch required epoch of the job; omitted: any */
  async receipt(principal: Principal, id: string, epoch?: string): Promise<Receipt> {
    const { header } = await this.read(principal, id, 'publish')
    if (epoch !== undefined && epoch !== header.epoch) throw refuse(problems.notFound())
    return this.#receipt(principal, header)
  }

  /** Reads a job and checks that the principal may perform the action on it. */
  async read(principal: Principal, id: string, action: Action = 'read'): Promise<StoredJob> {
    const stored = isIdFor(principal, id) ? await this.#documentsOf(principal).read(id) : undefined
    if (!stored) throw refuse(problems.notFound())
    permit(principal, stored, action)
    return stored
  }

  /** The jobs that do the work of an ended one again and that the principal may see: the newest first, 20 at most. */
  async retriesOf(principal: Principal, id: string): Promise<JobHeader[]> {
    await this.read(principal, id)
    return this.#retries.of(principal, id)
  }

  /** Opens a list of jobs, newest first: by default of the principal's own (see `ownerOf`). */
  async openList(
    principal: Principal,
    { owner: asked, cursor: sealed, q, ...query }: Partial<Omit<ListQuery, 'limit' | 'maxBytes'> & { q: string }>,
  ): Promise<OpenList> {
    const { cursors } = this.#context
    const who = fullName(principal)
    const documents = this.#documentsOf(principal)
    const owner = this.ownerOf(principal, asked)
    let cursor = sealed === undefined ? undefined : await cursors.open(sealed, who, owner)
    const list = (part: ListQuery) => documents.list(part)
    const filter = q === undefined ? undefined : new TextFilter(q, list)
    return {
      read: async (size) => {
        const part = { ...query, ...size, owner, ...(cursor === undefined ? {} : { cursor }) }
        const page = await (filter ? filter.read(part) : list(part))
        cursor = page.nextCursor
        return { jobs: page.rows, isLast: cursor === undefined || filter?.isSpent === true }
      },
      nextCursor: async () => (cursor === undefined ? undefined : cursors.seal(cursor, who, owner)),
    }
  }

  /**
   * The owner whose jobs a principal asks for: by default itself; with `jobs:admin` anyone, or all owners (`undefined`) for `*`.
   *
   * @throws ProblemError 403 for another owner without that scope; 422 for `*` if the engine can't list all jobs
   */
  ownerOf(principal: Principal, asked: string | undefined): string | undefined {
    requireScope(principal, 'jobs:read')
    if (asked === undefined) return principal.sub
    if (!isAdmin(principal)) {
      const errors = [{ field: 'owner', detail: 'needs the scope jobs:admin' }]
      throw refuse(problems.forbidden('owner: needs the scope jobs:admin. Leave it out for your own jobs.', errors))
    }
    if (asked !== '*') return asked
    const { knowsOwnersOnly, name } = this.#documentsOf(principal)
    if (!knowsOwnersOnly) return undefined
    const detail = `can't be * here: ${name} keeps no list of everyone's jobs. Name an owner.`
    throw refuse(problems.invalid([{ field: 'owner', detail }]))
  }

  /** Records a watcher's request. Cancels a pending job at once. */
  async operate(principal: Principal, id: string, operation: Operation): Promise<JobHeader> {
    const { epoch } = (await this.read(principal, id, 'control')).header
    return this.#count(await this.#apply(principal, id, { events: [], at: this.#now(), epoch, decide: operation }), 1)
  }

  /**
   * Answers an ask of a job: the first answer counts.
   *
   * @param message the message of the ask that the person read, if that is known
   * @throws ProblemError 409 with what was answered before, or for another message by now; 422 that names `value`
   */
  async answer(
    principal: Principal,
    id: string,
    ask: string,
    value: AnswerValue,
    message?: string,
  ): Promise<JobHeader> {
    const { epoch } = (await this.read(principal, id, 'answer')).header
    const decide = { answer: { ask, value, by: principal.sub, message } }
    return this.#count(await this.#apply(principal, id, { events: [], at: this.#now(), epoch, decide }), 1)
  }

  /** Creates a token for people without an account. */
  async share(principal: Principal, id: string, { can, parts, seconds }: CreateToken) {
    const stored = await this.read(principal, id, can === 'watch' ? 'share-watch' : 'share-publish')
    const { epoch } = stored.header
    const grant = { job: id, epoch, can, ...(parts ? { parts } : {}), series: tokenSeries(stored) }
    return this.#context.auth.createJobToken(principal, grant, seconds)
  }

  /** Revokes all watch and publish tokens of a job, and ends the streams that they opened. */
  async endTokens(principal: Principal, id: string): Promise<void> {
    const { epoch } = (await this.read(principal, id, 'end-tokens')).header
    const applied = await this.#apply(principal, id, { events: [], at: this.#now(), epoch, decide: 'end-tokens' })
    if ('refused' in applied) throw refuse(applied.refused)
  }

  /** @returns the header of the removed job */
  async remove(principal: Principal, id: string): Promise<JobHeader> {
    const { header } = await this.read(principal, id, 'remove')
    const removed = await this.#documentsOf(principal).remove(id, { epoch: header.epoch })
    if (!removed) throw refuse(problems.notFound())
    return header
  }

  /**
   * Removes the ended jobs of an owner, by default the principal.
   *
   * @returns resolves when they are removed
   * @throws ProblemError synchronously: 403 for another's jobs, 429 when too many removals wait
   */
  removeEnded(principal: Principal, { owner = principal.sub, status, endedBefore }: RemoveQuery): Promise<void> {
    requireScope(principal, 'jobs:read')
    if (owner !== principal.sub && !isAdmin(principal)) {
      throw refuse(problems.forbidden("owner: removing another's jobs needs the scope jobs:admin."))
    }
    // Excludes jobs that end later.
    const before = endedBefore === undefined ? this.#context.clock.now() + 1 : Date.parse(endedBefore)
    const jobs = { owner, endedBefore: before, ...(status ? { status } : {}) }
    return this.#removals.start(this.#documentsOf(principal), fullName({ ...principal, sub: owner }), jobs)
  }

  /** @throws ProblemError 422 that names the URL */
  #checkNotify({ notify = [] }: CreateJob): void {
    const errors = notify.flatMap((url, index) => {
      const detail = this.#context.webhooks.flawOf(url)
      return detail === undefined ? [] : [{ field: `notify.${index}`, detail }]
    })
    if (errors.length > 0) throw refuse(problems.invalid(errors))
  }

  async #newJob(principal: Principal, input: CreateJob, key: string | undefined): Promise<StoredJob> {
    const { auth, random } = this.#context
    const { id: chosen, title, kind, owner = principal.sub, notify, ...optional } = input
    const id = chosen ?? (key ? await auth.deriveJobId(fullName(principal), key) : randomId(random, 26))
    const now = this.#now()
    const header: JobHeader = {
      id,
      epoch: randomId(random, 8),
      version: 1,
      kind,
      title,
      owner,
      createdBy: principal.sub,
      status: 'pending',
      progress: { done: 0 },
      itemCounts: { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 },
      errorCount: 0,
      logCount: 0,
      cancelRequested: false,
      pauseRequested: false,
      createdAt: now,
      updatedAt: now,
      lastEventAt: now,
      ...optional,
    }
    const requestDigest = await unorderedDigestOf(input)
    const marks = { resultVersion: 0, metadataVersion: header.metadata ? 1 : 0, stepCount: 0, bytes: 0, requestDigest }
    // The URLs are no part of the document: they may contain a secret of the receiver.
    return { header, marks: { ...marks, bytes: headerBytes(header), ...(notify ? { notify } : {}) } }
  }

  #receipt(
    { tenant }: Principal,
    header: JobHeader,
    isWatchedElsewhere = false,
    events: readonly ProducerEvent[] = [],
  ): Receipt {
    const { version, cancelRequested, pauseRequested } = header
    const watched = isWatchedElsewhere || this.#context.isWatched(header, tenant)
    const flushMs = watched ? FLUSH_MS.watched : FLUSH_MS.unwatched
    const receipt = { version, cancelRequested, pauseRequested, watched, flushMs }
    const answers = closedAsks(header, events)
    return answers ? { ...receipt, answers } : receipt
  }

  #addKey(batch: Batch, key: IdempotencyKey): void {
    batch.key = key
    const horizon = keyHorizon(this.#context.clock, this.#written.ms)
    if (horizon !== undefined) batch.keyHorizon = horizon
  }

  #apply(principal: Principal, id: string, batch: Batch): Promise<Applied> {
    const { retentionSeconds, webhooks } = this.#context
    const ours = { retentionSeconds, webhookUrls: webhooks.urls }
    const applied = this.#documentsOf(principal).apply(id, { ...batch, ...ours })
    return applied.catch((error: unknown) => {
      this.#noteOutage()
      throw error
    })
  }

  #noteOutage(): void {
    this.#context.outage.lastAt = this.#context.clock.monotonic()
  }

  #count(applied: Applied, events: number): JobHeader {
    if ('refused' in applied) {
      if (applied.refused.status >= 500) this.#noteOutage()
      throw refuse(applied.refused)
    }
    if (!applied.repeat) {
      if (isTerminalStatus(applied.header.status)) this.#context.webhooks.onDue()
      this.#context.metrics.count('publishes')
      this.#context.metrics.count('events', events)
    }
    return applied.header
  }

  /** The time in ISO 8601. Formatted once per millisecond, because formatting takes as long as folding an event. */
  #now(): string {
    const ms = this.#context.clock.now()
    if (ms !== this.#written.ms) this.#written = { ms, text: new Date(ms).toISOString() }
    return this.#written.text
  }
}

/** Whether a job may have this id for the principal: without a tenant, a principal knows jobs of tenants by their qualified ids. */
const isIdFor = ({ tenant }: Principal, id: string) => isJobId(id) || (tenant === undefined && isAnyJobId(id))
