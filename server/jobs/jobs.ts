import type { ProducerEvent } from '../../shared/document/events.ts'
import { isJobId, type JobHeader } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import type { Receipt } from '../../shared/producer/batcher.ts'
import { type Random, randomId } from '../../shared/time/clock.ts'
import type { CreateJob, CreateToken, JobList, RemoveQuery } from '../../shared/wire/api.ts'
import { type Action, isAdmin, type Principal, permit, permitOwner, requireScope, tokenSeries } from '../auth/access.ts'
import type { Auth } from '../auth/auth.ts'
import { problems, refuse } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { unorderedDigestOf } from '../support/digest.ts'
import { headerBytes } from './apply-batch.ts'
import type { Applied, Batch, Engine, IdempotencyKey, ListQuery, Operation, StoredJob } from './engine.ts'
import { keyHorizon } from './idempotency.ts'
import type { ListCursors } from './list-cursors.ts'
import { Removals } from './removals.ts'
import type { TrustedClock } from './trusted-clock.ts'

/** How long a producer does well to gather events: milliseconds, when someone watches and when nobody does. */
export const FLUSH_MS = { watched: 250, unwatched: 5_000 }

export interface JobsContext {
  engine: Engine
  /** Whether someone follows a job here. */
  isWatched: (header: JobHeader) => boolean
  auth: Auth
  cursors: ListCursors
  limits: Limits
  clock: TrustedClock
  random: Random
  metrics: Metrics
  /** How long ended jobs are kept: seconds. */
  retentionSeconds: number
}

/** What can be done with jobs, and by whom. Everything throws `ProblemError`s. */
export class Jobs {
  readonly #context: JobsContext
  readonly #removals: Removals
  #written = { ms: Number.NaN, text: '' }

  constructor(context: JobsContext) {
    this.#context = context
    this.#removals = new Removals(context.engine, context.clock)
  }

  /** Creates a job, or finds the one that the same request has created before. */
  async create(principal: Principal, input: CreateJob, key?: string): Promise<{ header: JobHeader; created: boolean }> {
    requireScope(principal, 'jobs:write')
    permitOwner(principal, input.owner ?? principal.sub)
    const { engine, limits } = this.#context
    const job = await this.#newJob(principal, input, key)
    const keptLimit = { jobs: limits.keptJobs, bytes: limits.keptBytes }
    const liveLimit = isAdmin(principal) ? {} : { liveLimit: limits.liveJobs }
    const created = await engine.create({ ...job, keptLimit, ...liveLimit })
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
   * Applies a batch for its producer. The one way in: what services in this process emit comes through here too.
   *
   * @param events as the schema took them; not empty
   * @param epoch the life of the job that they are about; left out, whichever it is in
   * @param bytes about how much JSON they are
   */
  async publish(
    principal: Principal,
    id: string,
    events: ProducerEvent[],
    key?: IdempotencyKey,
    epoch?: string,
    bytes = 0,
  ): Promise<Receipt> {
    if (!isJobId(id)) throw refuse(problems.notFound())
    const batch: Batch = { events, at: this.#now(), bytes }
    if (key) this.#addKey(batch, key)
    if (epoch !== undefined) batch.epoch = epoch
    // The usual producer needs no look at the job before: the engine compares its creator with it on the way.
    const isUsual = !principal.jobs && !isAdmin(principal) && principal.scopes.includes('jobs:write')
    // Others are: its creator is looked up, and has to be the same when the batch is applied.
    if (isUsual) batch.createdBy = principal.sub
    else {
      const stored = await this.read(principal, id, 'publish')
      const { header } = stored
      batch.createdBy = header.createdBy
      if (epoch !== undefined && epoch !== header.epoch) throw refuse(problems.notFound())
      // A token is for one life of its job, and the next may have begun when the batch is applied.
      if (principal.jobs) {
        batch.epoch = header.epoch
        batch.tokenSeries = tokenSeries(stored)
      }
    }
    const applied = await this.#apply(id, batch)
    if ('refused' in applied && applied.refused.status === 404) await this.read(principal, id, 'publish')
    const header = this.#count(applied, events.length)
    const { version, cancelRequested, pauseRequested } = header
    const watched = 'watched' in applied || this.#context.isWatched(header)
    const flushMs = watched ? FLUSH_MS.watched : FLUSH_MS.unwatched
    return { version, cancelRequested, pauseRequested, watched, flushMs }
  }

  /** A job that the principal may do this with. */
  async read(principal: Principal, id: string, action: Action = 'read'): Promise<StoredJob> {
    const stored = isJobId(id) ? await this.#context.engine.read(id) : undefined
    if (!stored) throw refuse(problems.notFound())
    permit(principal, stored, action)
    return stored
  }

  /** Jobs, newest first: the principal's own, unless it may ask for others. */
  async list(
    principal: Principal,
    { owner: asked, cursor, ...query }: Partial<ListQuery> & Pick<ListQuery, 'limit'>,
  ): Promise<JobList> {
    const { engine, cursors } = this.#context
    const { sub } = principal
    const owner = this.ownerOf(principal, asked)
    const from = cursor === undefined ? {} : { cursor: await cursors.open(cursor, sub, owner) }
    const { rows, nextCursor } = await engine.list({ ...query, ...from, owner })
    return {
      jobs: rows,
      ...(nextCursor === undefined ? {} : { nextCursor: await cursors.seal(nextCursor, sub, owner) }),
    }
  }

  /**
   * Whose jobs a principal asks for: its own, or with `jobs:admin` those of any owner by name, or, with `*`, everyone's, which is `undefined`.
   *
   * @throws ProblemError 403 for those of others, without that scope; 422 for everyone's, where the engine knows of none
   */
  ownerOf(principal: Principal, asked: string | undefined): string | undefined {
    requireScope(principal, 'jobs:read')
    if (asked === undefined) return principal.sub
    if (!isAdmin(principal)) {
      const errors = [{ field: 'owner', detail: 'takes the scope jobs:admin' }]
      throw refuse(problems.forbidden('owner: takes the scope jobs:admin. Leave it out for your own jobs.', errors))
    }
    if (asked !== '*') return asked
    if (!this.#context.engine.knowsOwnersOnly) return undefined
    const detail = `can't be * here: ${this.#context.engine.name} keeps no list of everyone's jobs. Name an owner.`
    throw refuse(problems.invalid([{ field: 'owner', detail }]))
  }

  /** Writes down what a watcher asks for; cancels at once what has not begun. */
  async operate(principal: Principal, id: string, operation: Operation): Promise<JobHeader> {
    const { epoch } = (await this.read(principal, id, 'control')).header
    return this.#count(await this.#apply(id, { events: [], at: this.#now(), epoch, decide: operation }), 1)
  }

  /** A token for those who have no account here. */
  async share(principal: Principal, id: string, { can, parts, seconds }: CreateToken) {
    const stored = await this.read(principal, id, can === 'watch' ? 'share-watch' : 'share-publish')
    const { epoch } = stored.header
    const grant = { job: id, epoch, can, ...(parts ? { parts } : {}), series: tokenSeries(stored) }
    return this.#context.auth.createJobToken(principal, grant, seconds)
  }

  /** Ends all watch and publish tokens that were made of a job so far, and the streams that they opened. */
  async endTokens(principal: Principal, id: string): Promise<void> {
    const { epoch } = (await this.read(principal, id, 'end-tokens')).header
    const applied = await this.#apply(id, { events: [], at: this.#now(), epoch, decide: 'end-tokens' })
    if ('refused' in applied) throw refuse(applied.refused)
  }

  async remove(principal: Principal, id: string): Promise<void> {
    const { header } = await this.read(principal, id, 'remove')
    const removed = await this.#context.engine.remove(id, { epoch: header.epoch })
    if (!removed) throw refuse(problems.notFound())
  }

  /**
   * Removes the ended jobs of an owner, the principal itself unless it says otherwise.
   *
   * @returns resolves when they are removed
   * @throws ProblemError at once when that is not allowed
   */
  removeEnded(principal: Principal, { owner = principal.sub, status, endedBefore }: RemoveQuery): Promise<void> {
    requireScope(principal, 'jobs:read')
    if (owner !== principal.sub && !isAdmin(principal)) {
      throw refuse(problems.forbidden("owner: removing another's jobs takes the scope jobs:admin."))
    }
    // What ends from now on is not meant.
    const before = endedBefore === undefined ? this.#context.clock.now() + 1 : Date.parse(endedBefore)
    return this.#removals.start({ owner, endedBefore: before, ...(status ? { status } : {}) })
  }

  async #newJob(principal: Principal, input: CreateJob, key: string | undefined): Promise<StoredJob> {
    const { auth, random } = this.#context
    const { id: chosen, title, kind, owner = principal.sub, ...optional } = input
    const id = chosen ?? (key ? await auth.deriveJobId(principal.sub, key) : randomId(random, 26))
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
    return { header, marks: { ...marks, bytes: headerBytes(header) } }
  }

  #addKey(batch: Batch, key: IdempotencyKey): void {
    batch.key = key
    const horizon = keyHorizon(this.#context.clock, this.#written.ms)
    if (horizon !== undefined) batch.keyHorizon = horizon
  }

  #apply(id: string, batch: Batch): Promise<Applied> {
    const { retentionSeconds } = this.#context
    return this.#context.engine.apply(id, { ...batch, retentionSeconds })
  }

  #count(applied: Applied, events: number): JobHeader {
    if ('refused' in applied) throw refuse(applied.refused)
    if (!applied.repeat) {
      this.#context.metrics.count('publishes')
      this.#context.metrics.count('events', events)
    }
    return applied.header
  }

  /** The time in ISO 8601: written once a millisecond, for it takes as long as to fold an event. */
  #now(): string {
    const ms = this.#context.clock.now()
    if (ms !== this.#written.ms) this.#written = { ms, text: new Date(ms).toISOString() }
    return this.#written.text
  }
}
