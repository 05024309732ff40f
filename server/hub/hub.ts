import type { Cursor } from '../../shared/document/cursor.ts'
import { qualify, unqualify } from '../../shared/document/tenant.ts'
import type { Clock, Random } from '../../shared/time/clock.ts'
import { encodeRetry } from '../../shared/wire/sse.ts'
import { problems, refuse } from '../errors.ts'
import type { Documents, View } from '../jobs/engine.ts'
import type { FairTurns } from '../jobs/fair-turns.ts'
import { documentsOf } from '../jobs/tenant-documents.ts'
import type { Metrics } from '../metrics.ts'
import { keyIn, type Named, ownerKey, renamed } from './channel-keys.ts'
import { FiguresChannel, FiguresFollower, type LiveFigures } from './figures-channel.ts'
import { JobChannel, type WatchJob } from './job/job-channel.ts'
import { JobFollower } from './job/job-follower.ts'
import { OwnerChannel } from './owner/owner-channel.ts'
import { OwnerFollower } from './owner/owner-follower.ts'
import { OwnerSubscription } from './owner/owner-subscription.ts'
import { type RequestPort, subscribeQuietly } from './request-follower.ts'
import { type Access, EventStream, type Viewer } from './stream/event-stream.ts'
import { endMessage } from './stream/messages.ts'
import { type OpenStream, openStandardStream } from './stream/stream.ts'
import {
  type BusiestStreams,
  StreamCounts,
  type StreamLimits,
  type StreamsByView,
  type StreamView,
} from './stream/stream-counts.ts'

export type { Viewer } from './stream/event-stream.ts'

/** Lifetime of a stream, ± 20 %, in milliseconds. Bounds the cost of a client that vanished silently. */
const STREAM_LIFE_MS = 900_000
/** Longest interval at which a stream checks whether its session has ended in another process, in milliseconds. */
const SESSION_CHECK_MS = 20_000
/** Range of the reconnect delay sent to clients, in milliseconds. Random, to spread reconnects. */
const RETRY_MS = { least: 1_000, most: 5_000 }

/** Dependencies and settings that the parts of the hub share; for a channel, those within its tenant. */
export interface HubContext {
  engine: Documents
  /** The tenant of the documents; omitted: all. */
  tenant?: string | undefined
  clock: Clock
  random: Random
  metrics: Metrics
  /** How long changes are gathered before they are sent together, in milliseconds. */
  frameMs: number
  /** Interval of pings, in milliseconds. */
  pingMs: number
  /** Spreads the opening of streams over turns. Omitted where a request must not wait for another request's work, as on Workers. */
  turns?: FairTurns | undefined
}

/** Options of a {@link Hub}. */
export interface HubOptions extends HubContext {
  /** Limits of open streams in this process. */
  limits: StreamLimits
  /** Omitted where there are no sessions. */
  isSessionOpen?: (id: string) => Promise<boolean>
  openStream?: OpenStream
  /** Engine subscriptions that one stream may hold, on runtimes where streams cannot share them. Omitted: the streams of a job share one. */
  subscriptionsPerStream?: number | undefined
}

/** A connection of a producer. */
interface ReportConnection {
  close(): void
  /** Called at the interval of pings. */
  ping(): void
}

/** One job on a stream of several jobs. */
export interface Followed extends Access {
  id: string
  /** Omitted when the job is gone. */
  owner?: string
  /** Default: `all`. */
  view?: View
  cursor?: Cursor | undefined
  /** The job does not exist, or was removed. */
  gone?: boolean
}

/** The fan-out of one process: from the engine's changes to open streams. */
export class Hub {
  readonly #context: HubContext
  readonly #isSessionOpen: (id: string) => Promise<boolean>
  readonly #openStream: OpenStream
  readonly #subscriptionsPerStream: number | undefined
  readonly #jobs: Record<View, Map<string, JobChannel>> = { all: new Map(), header: new Map() }
  readonly #owners = new Map<string, OwnerChannel>()
  #figures: FiguresChannel | undefined
  readonly #streams = new Set<EventStream>()
  /** Connections of producers. */
  readonly #reports = new Set<EventStream>()
  readonly #counts: StreamCounts
  #isClosed = false
  #opened = 0

  constructor(options: HubOptions) {
    this.#context = options
    this.#counts = new StreamCounts(options.limits)
    this.#isSessionOpen = options.isSessionOpen ?? (async () => true)
    this.#openStream = options.openStream ?? openStandardStream
    this.#subscriptionsPerStream = options.subscriptionsPerStream
  }

  /** Open streams by view. */
  get streams(): StreamsByView {
    return this.#counts.all
  }

  /** Who has the most open streams. @param most of principals, and of jobs with guests */
  busiest(most: number): BusiestStreams {
    return this.#counts.busiest(most)
  }

  /** Counts of open streams and of the channels that they follow. */
  get open(): { streams: number; channels: number } {
    // Unshared channels of the same job or owner count once.
    const followed = Object.entries({ ...this.#jobs, owner: this.#owners }).flatMap(([kind, channels]) =>
      [...channels.keys()].map((key) => `${kind} ${key.replace(/\n#\d+$/, '')}`),
    )
    return { streams: this.#streams.size, channels: new Set(followed).size }
  }

  /**
   * Whether an open stream follows a job: by itself, or among the jobs of its owner, of everyone or of its parent.
   *
   * @param tenant of whoever knows the job by these names: principals of a tenant and those of none know it by others
   */
  isWatched(job: Named, tenant: string | undefined): boolean {
    if (this.#isFollowed(job, tenant)) return true
    if (tenant !== undefined)
      return this.#isFollowed(
        renamed(job, (name) => qualify(tenant, name)),
        undefined,
      )
    const { tenant: theirs } = unqualify(job.id)
    return (
      theirs !== undefined &&
      this.#isFollowed(
        renamed(job, (name) => unqualify(name).name),
        theirs,
      )
    )
  }

  #isFollowed({ id, owner, parentId }: Named, tenant: string | undefined): boolean {
    const key = keyIn(tenant, id)
    return (
      this.#jobs.all.has(key) ||
      this.#jobs.header.has(key) ||
      (this.#owners.size > 0 &&
        [owner, undefined].some(
          (whose) =>
            this.#owners.has(keyIn(tenant, ownerKey(whose, undefined))) ||
            (parentId !== undefined && this.#owners.has(keyIn(tenant, ownerKey(whose, parentId)))),
        ))
    )
  }

  /**
   * Opens a stream of one job.
   *
   * @param cursor the client's position, if it is in the current epoch of the job and not ahead of it
   * @throws ProblemError 429 when too many streams are open; whatever the engine throws when subscribing fails
   */
  async openJob(
    id: string,
    view: View,
    cursor: Cursor | undefined,
    viewer: Viewer,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = this.#createStream(viewer, view)
    return this.#respond(stream, viewer, async () => {
      const channel = this.#jobChannel(viewer, id, view)
      const follower = new JobFollower(channel, stream, 'one', cursor, viewer.tokenSeries)
      this.#endWith(stream, viewer, () => follower.end('token-expired'))
      await channel.ready
      await follower.checkToken()
    })
  }

  /** Opens a stream of several jobs. */
  async openJobs(jobs: readonly Followed[], viewer: Viewer): Promise<ReadableStream<Uint8Array>> {
    const gone = jobs.filter((job) => job.gone)
    const view = jobs.every((job) => job.view === 'header') ? 'header' : 'all'
    const stream = this.#createStream(viewer, view, gone.map(({ id }) => endMessage(id, 'deleted', 'many')).join(''))
    return this.#respond(stream, viewer, async () => {
      const present = jobs.filter((job) => !job.gone)
      const watchOf = this.#subscribe(viewer, present)
      const followers = present.map(({ id, owner, view = 'all', cursor, ...access }) => {
        const channel = this.#jobChannel(viewer, id, view, watchOf(owner))
        const follower = new JobFollower(channel, stream, 'many', cursor, access.tokenSeries)
        this.#endWith(stream, access, () => follower.end('token-expired'))
        return { follower, channel }
      })
      await Promise.all(followers.map(({ channel }) => channel.ready))
      await Promise.all(followers.map(({ follower }) => follower.checkToken()))
      this.#schedulePings(stream)
    })
  }

  /** Opens a stream of job headers: of an owner's jobs, of all jobs, or of the children of one job. */
  async openOwner(
    owner: string | undefined,
    parentId: string | undefined,
    viewer: Viewer,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = this.#createStream(viewer, 'list')
    return this.#respond(stream, viewer, async () => {
      const channel = this.#ownerChannel(viewer, owner, parentId)
      new OwnerFollower(channel, stream)
      this.#endWith(stream, viewer, () => stream.close())
      await channel.ready
      this.#schedulePings(stream)
    })
  }

  /**
   * Opens a stream of the server's figures: those of now, then others whenever they have changed.
   *
   * @param read reads them: the same for all streams, which share what it returns
   * @throws ProblemError 429 when too many streams are open; whatever `read` throws
   */
  async openFigures(read: () => Promise<LiveFigures>, viewer: Viewer): Promise<ReadableStream<Uint8Array>> {
    const stream = this.#createStream(viewer, 'operator')
    return this.#respond(stream, viewer, async () => {
      const channel = this.#figuresChannel(read)
      new FiguresFollower(channel, stream)
      this.#endWith(stream, viewer, () => stream.close())
      await channel.ready
      this.#schedulePings(stream)
    })
  }

  /**
   * Registers a connection of a producer. It counts as a stream, and ends as one does: with its access, after a time, and with the server.
   *
   * @returns its life, of which the caller calls `done()` when the connection has closed
   * @throws ProblemError 429 when too many streams are open
   */
  openReport(viewer: Viewer, { close, ping }: ReportConnection): EventStream {
    const connection = this.#register(viewer, 'report', '', this.#reports)
    this.#context.metrics.count('reports_opened')
    connection.start({ hasRoom: true, write: () => {}, close })
    this.#endWith(connection, viewer, () => connection.close())
    this.#repeat(connection, ping)
    return connection
  }

  /** How a producer's connection subscribes to its jobs. */
  subscribeQuietly({ tenant }: Viewer): RequestPort['watch'] {
    return subscribeQuietly(this.#contextOf(tenant).engine, this.#subscriptionsPerStream)
  }

  /** Ends the access that a session granted. Where a request cannot touch the streams of others, each stream checks its session itself. */
  endSession(id: string): void {
    if (this.#subscriptionsPerStream !== undefined) return
    for (const stream of [...this.#streams, ...this.#reports]) stream.endSession(id)
  }

  /** Closes every stream without `end`, and refuses new ones. Clients reconnect, maybe to another server, and resume. */
  close(): void {
    this.#isClosed = true
    for (const stream of [...this.#streams, ...this.#reports]) stream.close()
  }

  #createStream(viewer: Viewer, view: StreamView, first = ''): EventStream {
    const { random, metrics } = this.#context
    const retry = RETRY_MS.least + random.number() * (RETRY_MS.most - RETRY_MS.least)
    const stream = this.#register(viewer, view, encodeRetry(retry) + first, this.#streams)
    metrics.count('streams_opened')
    return stream
  }

  #register(viewer: Viewer, view: StreamView, first: string, kind: Set<EventStream>): EventStream {
    // A client that reconnects at once would keep a stopping server alive.
    if (this.#isClosed) throw refuse(problems.unavailable('The server is stopping. Try again in a moment.'))
    this.#counts.add(viewer, view)
    const { clock, random } = this.#context
    const stream = new EventStream(clock, viewer, view, first, this.#forget)
    kind.add(stream)
    stream.after(STREAM_LIFE_MS * (0.8 + random.number() * 0.4), () => stream.close())
    return stream
  }

  readonly #forget = (stream: EventStream): void => {
    this.#streams.delete(stream)
    this.#reports.delete(stream)
    this.#counts.remove(stream.viewer, stream.view)
  }

  async #respond(
    stream: EventStream,
    { signal }: Viewer,
    join: () => Promise<void>,
  ): Promise<ReadableStream<Uint8Array>> {
    try {
      await join()
    } catch (error) {
      stream.done()
      throw error
    }
    // A signal that aborted before the listener was added fires no event.
    if (signal?.aborted) stream.done()
    return this.#openStream(stream)
  }

  #endWith(stream: EventStream, { expiresAt, session }: Access, end: () => void): void {
    if (expiresAt !== undefined) {
      // Timers hold 31 bits of milliseconds: a longer one would fire at once. No stream lives this long.
      const ms = Math.min(expiresAt - this.#context.clock.now(), 2 * STREAM_LIFE_MS)
      stream.after(Math.max(0, ms), end)
    }
    if (session !== undefined && stream.bind(session, end)) this.#checkSession(stream, session)
  }

  #checkSession(stream: EventStream, session: string): void {
    stream.after(Math.min(SESSION_CHECK_MS, this.#context.pingMs), async () => {
      // An unavailable store must not sign anyone out.
      const isOpen = await this.#isSessionOpen(session).catch(() => true)
      if (isOpen) this.#checkSession(stream, session)
      else stream.endSession(session)
    })
  }

  #schedulePings(stream: EventStream): void {
    this.#repeat(stream, () => stream.ping())
  }

  #repeat(stream: EventStream, ping: () => void): void {
    stream.after(this.#context.pingMs, () => {
      ping()
      this.#repeat(stream, ping)
    })
  }

  /** Chooses how a stream subscribes: to each job, or to owners if there are too many jobs. @throws ProblemError 422 for too many owners */
  #subscribe({ tenant }: Viewer, jobs: readonly Followed[]): (owner: string | undefined) => WatchJob | undefined {
    const most = this.#subscriptionsPerStream
    if (most === undefined || jobs.length <= most) return () => undefined
    const owners = new Set(jobs.map(({ owner = '' }) => owner))
    if (owners.size > most) {
      const detail = `names jobs of ${owners.size} owners; one stream can follow jobs of ${most}`
      throw refuse(problems.invalid([{ field: 'job', detail }]))
    }
    const subscriptions = new Map<string, OwnerSubscription>()
    return (owner = '') => {
      const subscription = subscriptions.get(owner) ?? new OwnerSubscription(this.#contextOf(tenant).engine, owner)
      subscriptions.set(owner, subscription)
      return subscription.watch
    }
  }

  /** The key of a channel. Unique where streams cannot share channels. */
  #keyOf(key: string): string {
    return this.#subscriptionsPerStream === undefined ? key : `${key}\n#${++this.#opened}`
  }

  #contextOf(tenant: string | undefined): HubContext {
    if (tenant === undefined) return this.#context
    return { ...this.#context, engine: documentsOf(this.#context.engine, tenant), tenant }
  }

  /** @param subscribe subscribes in place of a subscription of the channel's own */
  #jobChannel({ tenant }: Viewer, id: string, view: View, subscribe?: WatchJob): JobChannel {
    const key = this.#keyOf(keyIn(tenant, id))
    const channels = this.#jobs[view]
    const open = channels.get(key)
    if (open) return open
    const context = this.#contextOf(tenant)
    const watch = subscribe ?? ((job, wake, onLost) => context.engine.watch({ job }, wake, onLost))
    const channel = new JobChannel(context, id, view, watch, () => channels.delete(key))
    channels.set(key, channel)
    return channel
  }

  #figuresChannel(read: () => Promise<LiveFigures>): FiguresChannel {
    const { clock, metrics } = this.#context
    if (this.#subscriptionsPerStream !== undefined) return new FiguresChannel(clock, metrics, read)
    this.#figures ??= new FiguresChannel(clock, metrics, read)
    return this.#figures
  }

  #ownerChannel({ tenant }: Viewer, owner: string | undefined, parentId: string | undefined): OwnerChannel {
    const key = this.#keyOf(keyIn(tenant, ownerKey(owner, parentId)))
    const open = this.#owners.get(key)
    if (open) return open
    const channel = new OwnerChannel(this.#contextOf(tenant), owner, parentId, () => this.#owners.delete(key))
    this.#owners.set(key, channel)
    return channel
  }
}
