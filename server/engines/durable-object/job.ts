import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { type Clock, systemClock } from '../../../shared/time/clock.ts'
import { type Problem, problems } from '../../errors.ts'
import { nextDeliveryAt } from '../../jobs/background/deliveries.ts'
import { CANCEL_GRACE, dueByItself, endsAt, isExpired, mayRemove } from '../../jobs/background/due.ts'
import type {
  Applied,
  Batch,
  Created,
  Due,
  DueTerms,
  JobToCreate,
  RemoveOnly,
  StoredJob,
  View,
} from '../../jobs/engine.ts'
import { buildPage, startOf } from '../../jobs/paging/paging.ts'
import type { StoredEntry } from '../sqlite/entry.ts'
import { type Decided, Group } from '../sqlite/group.ts'
import { type JobCalls, type ObjectBindings, ownerObject } from './calls.ts'
import { ObjectStorage } from './storage.ts'
import { UpdateLimiter } from './update-limiter.ts'
import { WatchedObject } from './watched.ts'
import { deliverDue, webhookUrlsIn } from './webhooks.ts'

/** Delay before an index object that could not be updated is tried again: milliseconds. */
const RETRY_MS = 10_000
/** Longest delay of an alarm: milliseconds. An alarm that fires too early finds nothing due and is set again. */
const LONGEST_WAIT = 365 * 86_400_000

const RETENTION_KEY = 'retentionSeconds'
const REMOVED_KEY = 'removed'
const SINCE_KEY = 'since'

/** Tombstone of a removed job, kept until the index objects have deleted it too. */
type Removed = Pick<JobHeader, 'id' | 'epoch' | 'owner' | 'createdBy'>

/**
 * The object of one job: its document, and an alarm for its deadlines and expiry.
 *
 * The runtime commits all writes between two awaits atomically and sends no message before they are on the disk. So `apply` needs no lock:
 * it reads, decides and writes without an await. The index objects are updated afterwards. If that fails, or this object is evicted first,
 * the alarm repeats the update.
 */
export class JobObject extends WatchedObject implements JobCalls {
  protected readonly clock: Pick<Clock, 'now'> = systemClock
  readonly #storage: ObjectStorage
  readonly #updates = new UpdateLimiter(() => this.#update())
  #entry: StoredEntry | undefined
  /** Whether the index objects lack an important update; unknown after a restart of the object. */
  #debt: 'none' | 'unknown' | 'owed' = 'unknown'
  #alarmAt: number | undefined
  #ownerIsWatched = false
  #isCreating = false
  /** The last task in the queue of {@link #inTurn}. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(ctx: DurableObjectState, env: ObjectBindings) {
    super(ctx, env)
    this.#storage = new ObjectStorage(ctx.storage, 'one')
    if (!this.#removed) this.#entry = this.#storage.first
  }

  create(job: JobToCreate, retentionSeconds: number | undefined): Promise<Created> {
    return this.#inTurn(async () => {
      if (this.#entry) return { created: false, job: this.#entry.job }
      if (this.#removed) await this.#updates.now()
      if (this.#removed) return { refused: problems.unavailable() }
      this.#isCreating = true
      try {
        const refused = await this.#admit(job)
        if (refused) return { refused }
        const created = this.#commit((group) => group.create({ header: job.header, marks: job.marks }))
        if (retentionSeconds !== undefined) this.ctx.storage.kv.put(RETENTION_KEY, retentionSeconds)
        await this.#updateNow()
        return created
      } finally {
        this.#isCreating = false
      }
    })
  }

  async apply(id: string, batch: Batch, limits: Limits): Promise<Applied> {
    const before = this.#entry?.job.header.status
    const applied = this.#commit((group) => group.apply(id, batch), limits)
    if ('refused' in applied) return applied
    if (applied.header.status !== before || batch.decide === 'end-tokens') await this.#updateNow()
    else if (!applied.repeat) {
      this.#setAlarm()
      this.#updates.soon()
    }
    return this.isWatched || this.#ownerIsWatched ? { ...applied, watched: true } : applied
  }

  async read(retentionSeconds?: number): Promise<StoredJob | undefined> {
    this.#repeatUpdate()
    const job = this.#entry?.job
    if (job && retentionSeconds !== undefined && dueByItself(job)?.list === 'ended') this.#keepFor(retentionSeconds)
    return job
  }

  async changesSince(cursor: Cursor | undefined, page: { view: View; maxBytes: number }): Promise<Patch | undefined> {
    this.#repeatUpdate()
    const entry = this.#entry
    if (!entry) return undefined
    const from = startOf(cursor, entry.job)
    const hasRows = page.view === 'all' && from < entry.job.header.version
    return buildPage(entry.job, from, hasRows ? this.#storage.store.changedSince(entry, from) : [], page.maxBytes)
  }

  remove(only: RemoveOnly = {}): Promise<boolean> {
    return this.#inTurn(async () => {
      const job = this.#entry?.job
      if (!job || !mayRemove(job, only)) return false
      this.#remove(job.header)
      await this.#updateNow()
      return true
    })
  }

  async confirm(epoch: string): Promise<StoredJob | 'creating' | undefined> {
    const job = this.#entry?.job
    if (job?.header.epoch === epoch) return job
    return this.#isCreating ? 'creating' : undefined
  }

  override async alarm(): Promise<void> {
    await this.#inTurn(async () => {
      this.#alarmAt = undefined
      const job = this.#entry?.job
      if (job) this.#processDue(job)
      await this.#updateNow()
    })
    // Not in turn: receivers may be slow.
    if (this.#entry) await deliverDue(this.#entry.job, this.env, (id, batch) => this.#commitOwn(id, batch))
  }

  #commitOwn(id: string, batch: Batch): Applied {
    const applied = this.#commit((group) => group.apply(id, batch))
    this.#setAlarm()
    return applied
  }

  #processDue(job: StoredJob): void {
    const now = this.clock.now()
    const due = dueByItself(job)
    // An alarm this late means that the object was unavailable, so the producer could not report either: give it the grace period.
    if (due?.list === 'end' && now - due.at > CANCEL_GRACE && this.#since < due.at)
      this.ctx.storage.kv.put(SINCE_KEY, now)
    const retentionSeconds = this.ctx.storage.kv.get<number>(RETENTION_KEY)
    const decide: DueTerms = {
      now,
      since: this.#since,
      steps: [],
      retentionSeconds: retentionSeconds ?? Number.POSITIVE_INFINITY,
    }
    if (isExpired(job, decide)) {
      this.#remove(job.header)
      return
    }
    const batch: Batch = { events: [], at: new Date(now).toISOString(), decide, webhookUrls: webhookUrlsIn(this.env) }
    if (retentionSeconds !== undefined) batch.retentionSeconds = retentionSeconds
    this.#commit((group) => group.apply(job.header.id, batch))
  }

  /** When the object became available after an outage longer than the grace period. Hibernation is no outage. */
  get #since(): number {
    return this.ctx.storage.kv.get<number>(SINCE_KEY) ?? Number.NEGATIVE_INFINITY
  }

  #keepFor(retentionSeconds: number): void {
    if (this.ctx.storage.kv.get<number>(RETENTION_KEY) === retentionSeconds) return
    this.ctx.storage.kv.put(RETENTION_KEY, retentionSeconds)
    this.#setAlarm()
  }

  /** When to check the job next: milliseconds since the Unix epoch; infinite for never. */
  #nextAt(job: StoredJob): number {
    const due = dueByItself(job)
    const dueAt = due ? this.#dueAt(job, due) : Number.POSITIVE_INFINITY
    const deliverAt = nextDeliveryAt(job.marks)
    if (deliverAt === undefined) return dueAt
    return due?.list === 'end' ? Math.min(dueAt, deliverAt) : deliverAt
  }

  #dueAt(job: StoredJob, { list, at }: Due): number {
    if (list === 'ended')
      return at + (this.ctx.storage.kv.get<number>(RETENTION_KEY) ?? Number.POSITIVE_INFINITY) * 1_000
    // Overdue but not ended: the grace period after an outage is still running.
    return list === 'end' && at <= this.clock.now() ? endsAt(job, this.#since) : at
  }

  /** A mutex for creations, removals and alarms, which await index objects in between. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  #commit<T>(decide: (group: Group) => Decided<T>, limits: Limits = defaultLimits): T {
    const entry = this.#entry
    const group = new Group(this.#storage.store, () => entry, limits)
    const { answer, wakeUp } = decide(group)
    if (wakeUp) {
      const saved = this.#storage.write(() => group.write())
      this.#entry = saved.get(wakeUp.change.id)
      this.wake(wakeUp.change)
    }
    return answer
  }

  get #removed(): Removed | undefined {
    return this.ctx.storage.kv.get<Removed>(REMOVED_KEY)
  }

  /** Marks the job as removed. Once the index objects have deleted it, the whole storage is cleared, which is cheaper than row by row. */
  #remove(header: JobHeader): void {
    const { id, epoch, version, owner, createdBy } = header
    this.ctx.storage.kv.put<Removed>(REMOVED_KEY, { id, epoch, owner, createdBy })
    this.#entry = undefined
    this.wake({ id, epoch, from: version, to: version, header, removed: true })
  }

  /** Asks the index objects to record the job. If the second one fails, the first finds out with `confirm` that the job was not created. */
  async #admit(job: JobToCreate): Promise<Problem | undefined> {
    const { header, marks } = job
    const { owner, createdBy } = header
    try {
      const refused = await ownerObject(this.env, createdBy).admit(job)
      if (refused || owner === createdBy) return refused
      return await ownerObject(this.env, owner).admit({ header, marks })
    } catch {
      return problems.unavailable()
    }
  }

  /** Updates the index objects at once. Commits an alarm first, which repeats the update if it fails. */
  async #updateNow(): Promise<void> {
    this.#debt = 'owed'
    this.#setAlarm()
    await this.#updates.now()
  }

  /** After a restart of the object, repeats an update that may have been lost. */
  #repeatUpdate(): void {
    if (this.#debt === 'unknown' && this.#entry && !isTerminalStatus(this.#entry.job.header.status))
      this.#updates.soon()
  }

  async #update(): Promise<void> {
    try {
      const removed = this.#removed
      if (removed) await this.#sendRemoval(removed)
      else if (this.#entry) await this.#sendState(this.#entry.job)
      else this.#debt = 'none'
    } catch {
      this.#debt = 'owed'
    }
    this.#setAlarm()
  }

  async #sendState(job: StoredJob): Promise<void> {
    const { id, epoch, owner, createdBy, status } = job.header
    this.#ownerIsWatched = await ownerObject(this.env, owner).update(job)
    if (createdBy !== owner && this.#debt !== 'none') {
      await ownerObject(this.env, createdBy).settle(id, epoch, !isTerminalStatus(status))
    }
    // If the status changed meanwhile, another update follows.
    if (this.#entry?.job.header.status === status) this.#debt = 'none'
  }

  async #sendRemoval({ id, epoch, owner, createdBy }: Removed): Promise<void> {
    await ownerObject(this.env, owner).forget(id, epoch)
    if (createdBy !== owner) await ownerObject(this.env, createdBy).settle(id, epoch, false)
    await this.#storage.clear()
    // `clear` deleted the alarm too.
    this.#alarmAt = undefined
    this.#debt = 'none'
  }

  /** Sets the alarm for the next deadline or retry, unless an earlier one is set. */
  #setAlarm(): void {
    const nextAt = this.#entry ? this.#nextAt(this.#entry.job) : Number.POSITIVE_INFINITY
    const untilDue = nextAt - this.clock.now()
    const wait = Math.min(untilDue, this.#debt === 'owed' ? RETRY_MS : Number.POSITIVE_INFINITY)
    const now = Date.now()
    if (wait === Number.POSITIVE_INFINITY) {
      if (this.#alarmAt !== undefined) void this.ctx.storage.deleteAlarm()
      this.#alarmAt = undefined
      return
    }
    const at = now + Math.min(Math.max(wait, 0), LONGEST_WAIT)
    if (this.#alarmAt !== undefined && now < this.#alarmAt && this.#alarmAt <= at) return
    this.#alarmAt = at
    void this.ctx.storage.setAlarm(at)
  }
}
