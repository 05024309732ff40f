import type { AppliedEvent } from '../../shared/document/events.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { Timer } from '../../shared/time/clock.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import type { Change, ListQuery, Page, Unwatch } from '../jobs/engine.ts'
import { PAGE_BYTES } from '../jobs/paging.ts'
import { encode } from './event-stream.ts'
import { FrameTimer } from './frame-timer.ts'
import type { HubContext } from './hub.ts'
import { PING_MS } from './job-channel.ts'
import { KnownJobs } from './known-jobs.ts'
import { touchesBulk } from './messages.ts'
import type { OwnerFollower } from './owner-follower.ts'
import { type Changed, type News, newsMessages, type PlacedNews, ToldNews } from './told-news.ts'

/** Jobs read from the engine at once, and those that ended which a stream begins with. */
export const LIST_PAGE = 100

/**
 * All jobs of one owner, or of everyone, or the children of one job, in the header view.
 *
 * The same idea as in a job's channel, one level up: of each job that changed there is the newest news, and its place in the order of news; a
 * follower is a place. Whoever is behind is sent the newest header of each job that changed since.
 */
export class OwnerChannel {
  readonly owner: string | undefined
  readonly parentId: string | undefined
  readonly followers = new Set<OwnerFollower>()
  readonly ready: Promise<void>
  readonly #hub: HubContext
  readonly #onEmpty: () => void
  readonly #frames: FrameTimer
  readonly #known = new KnownJobs()
  /** What the next frame brings, in the order of the places. */
  readonly #news = new Map<string, PlacedNews>()
  /** What frames brought, until all followers have it. */
  readonly #told = new ToldNews()
  /** Jobs that changed, nobody said how. */
  readonly #unread = new Set<string>()
  #unwatch: Unwatch | undefined
  #ping: Timer
  #closed = false
  #place = 0
  #sent = 0

  constructor(hub: HubContext, owner: string | undefined, parentId: string | undefined, onEmpty: () => void) {
    this.#hub = hub
    this.owner = owner
    this.parentId = parentId
    this.#onEmpty = onEmpty
    this.#frames = new FrameTimer(hub.clock, hub.frameMs, () => this.#sendFrame())
    this.#ping = this.#schedulePing()
    this.ready = hub.engine
      .watch(
        owner === undefined ? { all: true } : { owner },
        (change) => this.#wake(change),
        () => this.#lose(),
      )
      .then((unwatch) => {
        this.#unwatch = unwatch
        if (this.#closed) unwatch()
      })
  }

  join(follower: OwnerFollower): void {
    this.followers.add(follower)
  }

  leave(follower: OwnerFollower): void {
    if (!this.followers.delete(follower)) return
    if (this.followers.size === 0) this.#close()
    // It was behind, and kept what others have.
    else if (follower.place < this.#sent) this.forget()
  }

  #close(): void {
    this.#closed = true
    this.#frames.stop()
    this.#hub.clock.clearTimeout(this.#ping)
    this.#unwatch?.()
    this.#onEmpty()
  }

  /** The engine tells no more: clients connect again. */
  #lose(): void {
    for (const follower of this.followers) follower.disconnect()
  }

  /** The place of the newest news. */
  get newest(): number {
    return this.#place
  }

  /** The place up to which frames were sent. */
  get sent(): number {
    return this.#sent
  }

  /** Asks the engine for a page of the jobs that this is about. */
  query(filter: Pick<ListQuery, 'live' | 'cursor'> & Partial<Pick<ListQuery, 'limit'>>): ListQuery {
    const { owner, parentId } = this
    return { owner, limit: LIST_PAGE, ...(parentId === undefined ? {} : { parentId }), ...filter }
  }

  /** The news after a place that frames brought to others, oldest first. */
  sentAfter(place: number): Iterable<PlacedNews | Changed> {
    return this.#told.after(place)
  }

  /** The newest header of a job, if it is still one that this is about. */
  async newestHeader(id: string): Promise<JobHeader | undefined> {
    const header = (await this.#hub.engine.read(id))?.header
    return header && this.#isOurs(header) ? header : undefined
  }

  /**
   * Learns from a list: it may be ahead of the wake-ups. A job that nobody knew of is news to the followers whose lists are complete. The
   * others have it in lists of their own, or read it after them: told as news, all jobs of a long list would have to be remembered for them.
   *
   * @returns whether this is the newest that is known; if not, there are news of this job that the follower has not had
   */
  learn(header: JobHeader): boolean {
    const { id, epoch, version } = header
    if (this.#known.get(id)) this.#observe(header)
    else this.#meet(header)
    const known = this.#known.get(id)
    return known?.epoch === epoch && known.version === version
  }

  #meet(header: JobHeader): void {
    if (!isTerminalStatus(header.status)) {
      for (const { hasListed } of this.followers) {
        if (!hasListed) continue
        this.#observe(header)
        return
      }
      for (const follower of this.followers) follower.owe(header.id)
    }
    this.#known.set(header)
  }

  /** Forgets the news that all followers have. */
  forget(): void {
    let oldest = this.#sent
    for (const { place } of this.followers) oldest = Math.min(oldest, place)
    this.#told.forget(oldest)
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

  /** @param events all that happened since what is known, if that is known */
  #observe(header: JobHeader, events?: readonly AppliedEvent[]): void {
    if (!this.#known.isNews(header)) return
    const { id, epoch } = header
    const known = this.#known.get(id)
    const news = this.#news.get(id)
    const unsent = news?.epoch === epoch && 'header' in news ? news : undefined
    const from = unsent?.from ?? (known?.epoch === epoch ? known.version : 0)
    this.#known.set(header)
    this.#tell({ id, epoch, header, from, bulkTouched: touchesBulk(events) || unsent?.bulkTouched === true })
  }

  #remove(id: string, epoch: string, header?: JobHeader): void {
    const known = this.#known.get(id)
    // One of a life that is over by now says nothing of this one, nor one of another job's child.
    if (known ? known.epoch !== epoch : this.parentId !== undefined && !header) return
    if (known?.version === Number.POSITIVE_INFINITY) return
    const removed = this.#removalReason(header?.expiresAt ?? known?.expiresAt)
    this.#known.setRemoved(id, epoch, header?.createdAt)
    this.#tell({ id, epoch, removed })
  }

  #removalReason(expiresAt: string | undefined): EndReason {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.#hub.clock.now() ? 'expired' : 'deleted'
  }

  #tell(news: News): void {
    this.#place += 1
    this.#news.delete(news.id)
    this.#news.set(news.id, { ...news, place: this.#place })
    this.#frames.request(false)
  }

  #sendFrame(): void {
    if (this.#unread.size > 0) void this.#readUnread()
    if (this.#news.size === 0) return
    const from = this.#sent
    this.#sent = this.#place
    let text = ''
    for (const entry of this.#news.values()) {
      text += newsMessages(entry, 'header' in entry ? entry.from : 0)
      this.#told.add(entry)
    }
    this.#news.clear()
    // Too much to be shared: everyone takes it in pages, at a pace of their own.
    const bytes = text.length > PAGE_BYTES ? undefined : encode(text)
    this.#hub.metrics.count('frames')
    for (const follower of this.followers) follower.receive(from, this.#sent, bytes)
    this.forget()
    const forgotten = this.#told.shed()
    for (const follower of this.followers) if (follower.place < forgotten) follower.disconnect()
  }

  async #readUnread(): Promise<void> {
    for (const id of [...this.#unread]) {
      if (!this.#unread.delete(id)) continue
      try {
        await this.#read(id)
      } catch {
        // The engine is away: the next frame or ping asks again.
        this.#unread.add(id)
        this.#hub.metrics.count('engine_errors')
        return
      }
    }
  }

  async #read(id: string): Promise<void> {
    const before = this.#known.get(id)
    const stored = await this.#hub.engine.read(id)
    if (this.#closed) return
    if (stored && this.#isOurs(stored.header)) this.#observe(stored.header)
    // Made again since it was read, if it is known otherwise by now.
    else if (before && this.#known.get(id) === before) this.#remove(id, before.epoch)
  }

  /** A wake-up names a job by its id, which may be another owner's when it is read: deleted in between, and made again. */
  #isOurs({ owner, parentId }: JobHeader): boolean {
    return (
      (this.owner === undefined || owner === this.owner) && (this.parentId === undefined || parentId === this.parentId)
    )
  }

  #schedulePing(): Timer {
    return this.#hub.clock.setTimeout(() => {
      this.#ping = this.#schedulePing()
      void this.#readUnread()
      if (!this.#hub.engine.tellsAll) void this.#checkVersions()
    }, PING_MS)
  }

  /** Wake-ups may be lost: so most engines are asked for all jobs that have not ended, and for those that must have since. */
  async #checkVersions(): Promise<void> {
    try {
      const seen = new Set<string>()
      for (let query: ListQuery | undefined = this.query({ live: true }); query && !this.#closed; ) {
        const { rows, nextCursor }: Page<JobHeader> = await this.#hub.engine.list(query)
        for (const header of rows) {
          seen.add(header.id)
          this.learn(header)
        }
        query = nextCursor === undefined ? undefined : { ...query, cursor: nextCursor }
      }
      for (const id of [...this.#known.live()]) if (!this.#closed && !seen.has(id)) await this.#read(id)
    } catch {
      this.#hub.metrics.count('engine_errors')
    }
  }
}
