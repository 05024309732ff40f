import type { AppliedEvent } from '../../../shared/document/events.ts'
import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { qualify } from '../../../shared/document/tenant.ts'
import type { Timer } from '../../../shared/time/clock.ts'
import type { EndReason } from '../../../shared/wire/messages.ts'
import type { Change, ListQuery, Page, Unwatch } from '../../jobs/engine.ts'
import { PAGE_BYTES } from '../../jobs/paging/paging.ts'
import { FrameTimer } from '../frame-timer.ts'
import type { HubContext } from '../hub.ts'
import { inTurn, STEP_BYTES } from '../steps.ts'
import { encode } from '../stream/event-stream.ts'
import { touchesBulk } from '../stream/messages.ts'
import { type FoundJobs, KnownJobs } from './known-jobs.ts'
import { type ListedPage, ListedPages } from './listed-pages.ts'
import type { OwnerFollower } from './owner-follower.ts'
import { type JobUpdate, type OrderedUpdate, SentUpdates, type UpdateStub, updateMessages } from './sent-updates.ts'

/** Most jobs per page read from the engine; also the ended jobs that a stream starts with. */
export const LIST_PAGE = 100

/** A page to list. */
export interface Listing {
  live: boolean
  limit: number
  cursor?: string
}

/**
 * All jobs of one owner or of everyone, or the children of one job, in the header view.
 *
 * Works as a job's channel does, with positions instead of versions: the newest update of each job has a position in the order of updates.
 * A follower is a position; if it is behind, it is sent the newest header of each job updated since.
 */
export class OwnerChannel {
  readonly owner: string | undefined
  readonly parentId: string | undefined
  readonly followers = new Set<OwnerFollower>()
  readonly ready: Promise<void>
  readonly hub: HubContext
  readonly #onEmpty: () => void
  readonly #frames: FrameTimer
  readonly #known = new KnownJobs()
  /** The updates of the next frame, in order. */
  readonly #updates = new Map<string, OrderedUpdate>()
  /** Sent updates that at least one follower lacks. */
  readonly #sentUpdates = new SentUpdates()
  readonly #pages: ListedPages
  /** Jobs whose wake-up had no header. */
  readonly #unread = new Set<string>()
  #unwatch: Unwatch | undefined
  #ping: Timer
  #closed = false
  #isChecking = false
  /** Number of updates and of jobs that lists found: the order of both. */
  #order = 0
  #position = 0
  #sent = 0
  /** Number of followers that have finished listing. */
  #finished = 0

  constructor(hub: HubContext, owner: string | undefined, parentId: string | undefined, onEmpty: () => void) {
    this.hub = hub
    this.owner = owner
    this.parentId = parentId
    this.#onEmpty = onEmpty
    this.#frames = new FrameTimer(hub.clock, hub.frameMs, () => this.#sendFrame())
    this.#pages = new ListedPages(hub.clock)
    this.#ping = this.#schedulePing()
    this.ready = hub.engine
      .watch(
        owner === undefined ? { all: true } : { owner },
        (change) => this.#wake(change),
        () => this.#onLost(),
      )
      .then((unwatch) => {
        this.#unwatch = unwatch
        if (this.#closed) unwatch()
      })
  }

  /** Who takes turns with others when the channel reads. */
  get who(): string {
    return `channel of ${this.owner === undefined ? 'all' : qualify(this.hub.tenant, this.owner)}`
  }

  join(follower: OwnerFollower): void {
    this.followers.add(follower)
  }

  leave(follower: OwnerFollower): void {
    if (!this.followers.delete(follower)) return
    if (follower.hasListed) this.#finished -= 1
    if (this.followers.size === 0) this.#close()
    // The follower was behind: updates were kept for it.
    else if (follower.position < this.#sent) this.forget()
  }

  #close(): void {
    this.#closed = true
    this.#frames.stop()
    this.hub.clock.clearTimeout(this.#ping)
    this.#unwatch?.()
    this.#onEmpty()
  }

  /** The subscription to the engine was lost: clients reconnect. */
  #onLost(): void {
    for (const follower of this.followers) follower.disconnect()
  }

  /** A follower has finished listing. */
  finish(): void {
    this.#finished += 1
  }

  /** Position of the newest update. */
  get newest(): number {
    return this.#position
  }

  /** When the newest job was updated, or found by a list: positions of updates are in the same order. */
  get order(): number {
    return this.#order
  }

  /** The known jobs, for followers whose lists may have passed one before another follower's list found it. */
  found(): FoundJobs {
    return this.#known.found()
  }

  /** Position up to which frames were sent. */
  get sent(): number {
    return this.#sent
  }

  /** Number of pages that were listed so far. */
  get pagesRead(): number {
    return this.#pages.reads
  }

  /** Lists a page of this channel's jobs for a follower, or returns one that another follower listed after this one had joined. */
  list(listing: Listing, { joined }: OwnerFollower): Promise<ListedPage> {
    const { live, limit, cursor = '' } = listing
    const read = () => this.hub.engine.list(this.#query(listing))
    return this.#pages.read(`${live} ${limit} ${cursor}`, joined, this.followers.size > 1, read)
  }

  async #listInTurn(listing: Listing): Promise<Page<JobHeader>> {
    return inTurn(this.hub, this, () => this.hub.engine.list(this.#query(listing)))
  }

  /** The engine query for a page of this channel's jobs. */
  #query(listing: Listing): ListQuery {
    const { owner, parentId } = this
    // Without shared turns every page costs a request to the engine.
    const bytes = this.hub.turns ? { maxBytes: STEP_BYTES } : {}
    return { owner, ...(parentId === undefined ? {} : { parentId }), ...bytes, ...listing }
  }

  /** Sent updates after a position, oldest first. */
  sentAfter(position: number): Iterable<OrderedUpdate | UpdateStub> {
    return this.#sentUpdates.after(position)
  }

  /** Reads a job's header; `undefined` if the job is gone or not in this channel. */
  async newestHeader(id: string): Promise<JobHeader | undefined> {
    const header = (await this.hub.engine.read(id))?.header
    return header && this.#isOurs(header) ? header : undefined
  }

  /**
   * Records a header from a list, which may be ahead of the wake-ups. An unknown job is an update if a follower has finished listing.
   * Otherwise followers list it themselves, or read it after their list: as updates, all jobs of a long list would have to be kept for them.
   *
   * @returns whether the header is the newest known; if not, the follower still has an update of this job to come
   */
  record(header: JobHeader): boolean {
    const { id, epoch, version } = header
    if (this.#known.get(id)) this.#observe(header)
    else this.#addUnknown(header)
    const known = this.#known.get(id)
    return known?.epoch === epoch && known.version === version
  }

  #addUnknown(header: JobHeader): void {
    if (isTerminalStatus(header.status)) this.#known.set(header)
    else if (this.#finished > 0) this.#observe(header)
    else this.#known.set(header, ++this.#order)
  }

  /** Forgets the updates that all followers have. */
  forget(): void {
    let oldest = this.#sent
    for (const { position } of this.followers) oldest = Math.min(oldest, position)
    this.#sentUpdates.forget(oldest)
  }

  #wake({ id, epoch, from, header, events, removed }: Change): void {
    if (header && !this.#isOurs(header)) return
    if (removed) this.#remove(id, epoch, header)
    else if (header) this.#observe(header, from === this.#known.get(id)?.version ? events : undefined)
    else {
      this.#unread.add(id)
      this.#frames.request(false)
    }
  }

  /** @param events all events since the known version, if known */
  #observe(header: JobHeader, events?: readonly AppliedEvent[]): void {
    if (!this.#known.isNewer(header)) return
    const { id, epoch } = header
    const known = this.#known.get(id)
    const pending = this.#updates.get(id)
    const unsent = pending?.epoch === epoch && 'header' in pending ? pending : undefined
    const from = unsent?.from ?? (known?.epoch === epoch ? known.version : 0)
    this.#known.set(header)
    this.#addUpdate({ id, epoch, header, from, bulkTouched: touchesBulk(events) || unsent?.bulkTouched === true })
  }

  #remove(id: string, epoch: string, header?: JobHeader): void {
    const known = this.#known.get(id)
    // Ignore the removal of an older epoch, and of an unknown job that may have another parent.
    if (known ? known.epoch !== epoch : this.parentId !== undefined && !header) return
    if (known?.version === Number.POSITIVE_INFINITY) return
    const removed = this.#removalReason(header?.expiresAt ?? known?.expiresAt)
    this.#known.setRemoved(id, epoch, header?.createdAt)
    this.#addUpdate({ id, epoch, removed })
  }

  #removalReason(expiresAt: string | undefined): EndReason {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.hub.clock.now() ? 'expired' : 'deleted'
  }

  #addUpdate(update: JobUpdate): void {
    this.#position = ++this.#order
    this.#updates.delete(update.id)
    this.#updates.set(update.id, { ...update, position: this.#position })
    this.#frames.request(false)
  }

  #sendFrame(): void {
    if (this.#unread.size > 0) void this.#readUnread()
    if (this.#updates.size === 0) return
    const from = this.#sent
    this.#sent = this.#position
    let text = ''
    for (const entry of this.#updates.values()) {
      text += updateMessages(entry, 'header' in entry ? entry.from : 0)
      this.#sentUpdates.add(entry)
    }
    this.#updates.clear()
    // Too large to share: each follower sends pages at its own pace.
    const bytes = text.length > PAGE_BYTES ? undefined : encode(text)
    this.hub.metrics.count('frames')
    for (const follower of this.followers) follower.receive(from, this.#sent, bytes)
    this.forget()
    const forgotten = this.#sentUpdates.trim()
    for (const follower of this.followers) if (follower.position < forgotten) follower.disconnect()
  }

  async #readUnread(): Promise<void> {
    for (const id of [...this.#unread]) {
      if (!this.#unread.delete(id)) continue
      try {
        await this.#read(id)
      } catch {
        // The engine is unavailable: the next frame or ping retries.
        this.#unread.add(id)
        this.hub.metrics.count('engine_errors')
        return
      }
    }
  }

  async #read(id: string): Promise<void> {
    const before = this.#known.get(id)
    const stored = await inTurn(this.hub, this, () => this.hub.engine.read(id))
    if (this.#closed) return
    if (stored && this.#isOurs(stored.header)) this.#observe(stored.header)
    // A change of the known version means that the job was created again during the read.
    else if (before && this.#known.get(id) === before) this.#remove(id, before.epoch)
  }

  /** A wake-up names a job by its id, which may be another owner's when it is read: deleted in between, and made again. */
  #isOurs({ owner, parentId }: JobHeader): boolean {
    return (
      (this.owner === undefined || owner === this.owner) && (this.parentId === undefined || parentId === this.parentId)
    )
  }

  #schedulePing(): Timer {
    return this.hub.clock.setTimeout(() => {
      this.#ping = this.#schedulePing()
      this.#pages.clear()
      void this.#readUnread()
      if (!this.hub.engine.tellsAll) void this.#checkVersions()
    }, this.hub.pingMs)
  }

  /** Lists the live jobs and reads known ones that are missing there, because most engines may lose wake-ups. */
  async #checkVersions(): Promise<void> {
    // On a slow engine a check may outlast the ping interval.
    if (this.#isChecking) return
    this.#isChecking = true
    try {
      const seen = new Set<string>()
      for (let listing: Listing | undefined = { live: true, limit: LIST_PAGE }; listing && !this.#closed; ) {
        const { rows, nextCursor } = await this.#listInTurn(listing)
        for (const header of rows) {
          seen.add(header.id)
          this.record(header)
        }
        listing = nextCursor === undefined ? undefined : { ...listing, cursor: nextCursor }
      }
      for (const id of [...this.#known.live()]) if (!this.#closed && !seen.has(id)) await this.#read(id)
    } catch {
      this.hub.metrics.count('engine_errors')
    } finally {
      this.#isChecking = false
    }
  }
}
