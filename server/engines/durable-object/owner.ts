import type { JobHeader } from '../../../shared/document/job.ts'
import { tokenSeries } from '../../auth/access.ts'
import type { Problem } from '../../errors.ts'
import type { Change, JobToCreate, ListQuery, Note, Notes, Page, StoredJob } from '../../jobs/engine.ts'
import { changeOfStanding, NOTHING, refusalOfJob, type Standing } from '../../jobs/kept.ts'
import { draftOf } from '../sqlite/group.ts'
import type { ObjectBindings, OwnerCalls } from './calls.ts'
import { ObjectNotes } from './notes.ts'
import { ObjectStorage } from './storage.ts'
import { WatchedObject } from './watched.ts'

/** Most job objects asked in parallel: for unconfirmed creations, and for expired jobs. */
const ASKED_AT_ONCE = 20

const unconfirmedKey = (id: string) => `unconfirmed ${id}`

/**
 * The index object of one principal: headers of the jobs that it owns, and of the live jobs that it created for others.
 *
 * A job is recorded here before it is created, so none is ever missing. Until its object confirms the creation, the entry is unconfirmed,
 * and calls that meet it ask the job's object.
 */
export class OwnerObject extends WatchedObject implements OwnerCalls {
  readonly #storage: ObjectStorage
  /** Used only in objects without jobs. */
  readonly #notes: ObjectNotes

  constructor(ctx: DurableObjectState, env: ObjectBindings) {
    super(ctx, env)
    this.#storage = new ObjectStorage(ctx.storage, 'owner')
    this.#notes = new ObjectNotes(ctx.storage)
  }

  async admit(job: JobToCreate): Promise<Problem | undefined> {
    const { id, epoch, createdBy } = job.header
    if (refusalOfJob(this.#standingBeside(createdBy, id), job)) {
      const others = this.#unconfirmed().filter((other) => other !== id)
      await Promise.all(others.slice(0, ASKED_AT_ONCE).map((other) => this.#ask(other)))
      const refused = refusalOfJob(this.#standingBeside(createdBy, id), job)
      if (refused) return refused
    }
    this.#save(job)
    this.ctx.storage.kv.put(unconfirmedKey(id), epoch)
    return undefined
  }

  async update(job: StoredJob): Promise<boolean> {
    const { header, marks } = job
    const { id, epoch, version } = header
    const known = this.#find(id)?.job
    const isNew = this.ctx.storage.kv.delete(unconfirmedKey(id)) || known?.header.epoch !== epoch
    const endsTokens = !isNew && tokenSeries(known) < tokenSeries(job)
    if (isNew || endsTokens || known.header.version < version) {
      this.#save(job)
      const change: Change = { id, epoch, from: isNew ? 0 : known.header.version, to: version, header }
      if (marks.tokenSeries !== undefined) change.tokenSeries = marks.tokenSeries
      this.wake(change)
    }
    return this.isWatched
  }

  async forget(id: string, epoch: string): Promise<void> {
    const header = this.#remove(id, epoch)
    if (header) this.wake({ id, epoch, from: header.version, to: header.version, header, removed: true })
  }

  async settle(id: string, epoch: string, isLive: boolean): Promise<void> {
    if (isLive) this.ctx.storage.kv.delete(unconfirmedKey(id))
    else this.#remove(id, epoch)
  }

  async list(query: ListQuery, retentionSeconds?: number): Promise<Page<JobHeader>> {
    if (this.#storage.isEmpty) return { rows: [] }
    const { store } = this.#storage
    if (retentionSeconds !== undefined) this.#wakeExpired(retentionSeconds)
    const doubtful = new Set(this.#unconfirmed())
    if (doubtful.size === 0) return store.list(query)
    const { rows } = store.list(query)
    await Promise.all(rows.filter(({ id }) => doubtful.has(id)).map(({ id }) => this.#ask(id)))
    const stillDoubtful = new Set(this.#unconfirmed())
    for (let page = store.list(query); ; page = store.list({ ...query, cursor: page.nextCursor })) {
      const known = page.rows.filter(({ id }) => !stillDoubtful.has(id))
      if (known.length > 0 || page.nextCursor === undefined) return { ...page, rows: known }
    }
  }

  putNote(note: Note, until: number): Promise<void> {
    return this.#notes.put(note, until)
  }

  async getNote(key: string): Promise<string | undefined> {
    return this.#notes.get(key)
  }

  takeNote(key: string): Promise<string | undefined> {
    return this.#notes.take(key)
  }

  async listNotes(query: Parameters<Notes['list']>[0]): Promise<Note[]> {
    return this.#notes.list(query)
  }

  /** Only notes use the alarm. */
  override alarm(): Promise<void> {
    return this.#notes.clear(Date.now())
  }

  async check(): Promise<void> {
    this.ctx.storage.sql.exec('SELECT 1').one()
  }

  /** Reads ended jobs without an expiry, whose objects then set an alarm for the retention: they have none yet. */
  #wakeExpired(retentionSeconds: number): void {
    const before = Date.now() - retentionSeconds * 1_000
    const expired = this.#storage.store.due({ list: 'ended', before, limit: ASKED_AT_ONCE })
    const reads = expired.map(({ id }) => this.env.MILEPOST_JOBS.getByName(id).read(retentionSeconds))
    this.ctx.waitUntil(Promise.allSettled(reads))
  }

  #find(id: string) {
    return this.#storage.isEmpty ? undefined : this.#storage.store.find(id)
  }

  #save(job: StoredJob): void {
    this.#storage.write(() => {
      const stored = this.#find(job.header.id)
      const isSameLife = stored?.job.header.epoch === job.header.epoch
      if (stored && !isSameLife) this.#storage.store.remove(stored)
      this.#storage.store.save(draftOf(isSameLife ? stored : undefined, job))
    })
  }

  /** @returns the header of the removed job */
  #remove(id: string, epoch: string): JobHeader | undefined {
    const stored = this.#find(id)
    if (stored?.job.header.epoch !== epoch) return undefined
    this.#storage.write(() => this.#storage.store.remove(stored))
    this.ctx.storage.kv.delete(unconfirmedKey(id))
    return stored.job.header
  }

  /** A creator's counts without the job `id`. */
  #standingBeside(createdBy: string, id: string): Standing {
    const kept = this.#storage.isEmpty ? undefined : this.#storage.store.kept
    if (!kept) return NOTHING
    const own = this.#find(id)?.job
    const { live, jobs, blocks } = changeOfStanding(own?.header.createdBy === createdBy ? own : undefined, undefined)
    const all = kept.of(createdBy)
    return { live: kept.countLive(createdBy) + live, jobs: all.jobs + jobs, blocks: all.blocks + blocks }
  }

  /** Ids of recorded jobs whose creation is not confirmed. */
  #unconfirmed(): string[] {
    const prefix = unconfirmedKey('')
    return Array.from(this.ctx.storage.kv.list({ prefix }), ([key]) => key.slice(prefix.length))
  }

  /** Asks a job's object whether the job was created. An unreachable one leaves the entry unconfirmed. */
  async #ask(id: string): Promise<void> {
    const epoch = this.ctx.storage.kv.get<string>(unconfirmedKey(id))
    if (epoch === undefined) return
    const job = await this.env.MILEPOST_JOBS.getByName(id)
      .confirm(epoch)
      .catch(() => 'unreachable' as const)
    if (job === 'creating' || job === 'unreachable') return
    if (job) await this.update(job)
    else if (this.ctx.storage.kv.get(unconfirmedKey(id)) === epoch) this.#remove(id, epoch)
  }
}
