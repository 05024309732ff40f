import type { Cursor } from '../../shared/document/cursor.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import type { Clock, Random } from '../../shared/time/clock.ts'
import { encodeRetry } from '../../shared/wire/sse.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine, View } from '../jobs/engine.ts'
import type { Metrics } from '../metrics.ts'
import { type Access, EventStream, type Viewer } from './event-stream.ts'
import { JobChannel, PING_MS, type WatchJob } from './job-channel.ts'
import { JobFollower } from './job-follower.ts'
import { endMessage } from './messages.ts'
import { OwnerChannel } from './owner-channel.ts'
import { OwnerFollower } from './owner-follower.ts'
import { OwnerSubscription } from './owner-subscription.ts'
import { type OpenStream, openStandardStream } from './stream.ts'
import { StreamCounts, type StreamLimits } from './stream-counts.ts'

export type { Viewer } from './event-stream.ts'

/** How long a stream lives, give or take a fifth: milliseconds. A reader that vanished without a word costs no longer than this. */
const STREAM_LIFE_MS = 900_000
/** How often a stream asks whether its session goes on, which may end in another process: milliseconds. */
const SESSION_CHECK_MS = 20_000
/** How long a client waits before it connects again: milliseconds. Random, so that not all come back at once. */
const RETRY_MS = { least: 1_000, most: 5_000 }

/** What the parts of the hub share. */
export interface HubContext {
  engine: Engine
  clock: Clock
  random: Random
  metrics: Metrics
  /** How long changes gather before they leave together: milliseconds. */
  frameMs: number
}

export interface HubOptions extends HubContext {
  /** Streams that may be open here. */
  limits: StreamLimits
  /** Left out where nobody has a session. */
  isSessionOpen?: (id: string) => Promise<boolean>
  openStream?: OpenStream
  /** Subscriptions that one stream may hold, where streams can't share theirs. Left out, those of one job share all. */
  subscriptionsPerStream?: number | undefined
}

/** One job of a stream of several. */
export interface Followed extends Access {
  id: string
  /** Unless it is gone. */
  owner?: string
  /** Left out, everything. */
  view?: View
  cursor?: Cursor | undefined
  /** There is no such job, or not any more. */
  gone?: boolean
}

/** Owners may have any character in their names, ids of jobs no line ends. Without an owner it is everyone's. */
const ownerKey = (owner: string | undefined, parentId: string | undefined) =>
  owner === undefined ? (parentId ?? '') : `${owner}\n${parentId ?? ''}`

/** One process's fan-out: from the changes that an engine tells of, to the streams that are open here. */
export class Hub {
  readonly #context: HubContext
  readonly #isSessionOpen: (id: string) => Promise<boolean>
  readonly #openStream: OpenStream
  readonly #subscriptionsPerStream: number | undefined
  readonly #watchJob: WatchJob
  readonly #jobs: Record<View, Map<string, JobChannel>> = { all: new Map(), header: new Map() }
  readonly #owners = new Map<string, OwnerChannel>()
  readonly #streams = new Set<EventStream>()
  readonly #counts: StreamCounts
  #isClosed = false
  #opened = 0

  constructor(options: HubOptions) {
    this.#context = options
    this.#counts = new StreamCounts(options.limits)
    this.#isSessionOpen = options.isSessionOpen ?? (async () => true)
    this.#openStream = options.openStream ?? openStandardStream
    this.#subscriptionsPerStream = options.subscriptionsPerStream
    this.#watchJob = (id, wake, onLost) => options.engine.watch({ job: id }, wake, onLost)
  }

  /** What is open here: nothing of it, when no stream is. */
  get open(): { streams: number; channels: number } {
    // Streams that can't share a channel may follow one job all the same.
    const followed = Object.entries({ ...this.#jobs, owner: this.#owners }).flatMap(([kind, channels]) =>
      [...channels.keys()].map((key) => `${kind} ${key.replace(/\n#\d+$/, '')}`),
    )
    return { streams: this.#streams.size, channels: new Set(followed).size }
  }

  /** Whether anyone here follows a job, alone, among all jobs of its owner or of everyone, or among all children of its parent. */
  isWatched({ id, owner, parentId }: Pick<JobHeader, 'id' | 'owner' | 'parentId'>): boolean {
    return (
      this.#jobs.all.has(id) ||
      this.#jobs.header.has(id) ||
      (this.#owners.size > 0 &&
        [owner, undefined].some(
          (whose) =>
            this.#owners.has(ownerKey(whose, undefined)) ||
            (parentId !== undefined && this.#owners.has(ownerKey(whose, parentId))),
        ))
    )
  }

  /**
   * A stream of one job.
   *
   * @param cursor what the client has, if it is of this life of the job and not ahead of it
   * @throws ProblemError 429 when there are too many streams; whatever the engine throws when it can't be subscribed to
   */
  async openJob(
    id: string,
    view: View,
    cursor: Cursor | undefined,
    viewer: Viewer,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = this.#createStream(viewer)
    try {
      const channel = this.#jobChannel(id, view)
      const follower = new JobFollower(this.#context, channel, stream, 'one', cursor, viewer.tokenSeries)
      this.#endWith(stream, viewer, () => follower.end('token-expired'))
      await channel.ready
      await follower.checkToken()
    } catch (error) {
      stream.done()
      throw error
    }
    return this.#respond(stream, viewer)
  }

  /** A stream of several jobs. */
  async openJobs(jobs: readonly Followed[], viewer: Viewer): Promise<ReadableStream<Uint8Array>> {
    const gone = jobs.filter((job) => job.gone)
    const stream = this.#createStream(viewer, gone.map(({ id }) => endMessage(id, 'deleted', 'many')).join(''))
    try {
      const present = jobs.filter((job) => !job.gone)
      const watchOf = this.#subscribe(present)
      const followers = present.map(({ id, owner, view = 'all', cursor, ...access }) => {
        const channel = this.#jobChannel(id, view, watchOf(owner))
        const follower = new JobFollower(this.#context, channel, stream, 'many', cursor, access.tokenSeries)
        this.#endWith(stream, access, () => follower.end('token-expired'))
        return { follower, channel }
      })
      await Promise.all(followers.map(({ channel }) => channel.ready))
      await Promise.all(followers.map(({ follower }) => follower.checkToken()))
    } catch (error) {
      stream.done()
      throw error
    }
    this.#pingAlways(stream)
    return this.#respond(stream, viewer)
  }

  /** A stream of all jobs of an owner, or of everyone, or of the children of one job, in the header view. */
  async openOwner(
    owner: string | undefined,
    parentId: string | undefined,
    viewer: Viewer,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = this.#createStream(viewer)
    try {
      const channel = this.#ownerChannel(owner, parentId)
      new OwnerFollower(this.#context, channel, stream)
      this.#endWith(stream, viewer, () => stream.close())
      await channel.ready
    } catch (error) {
      stream.done()
      throw error
    }
    this.#pingAlways(stream)
    return this.#respond(stream, viewer)
  }

  /** Ends what a session lets its streams see. Where streams can't be touched by the requests of others, each finds out by itself. */
  endSession(id: string): void {
    if (this.#subscriptionsPerStream !== undefined) return
    for (const stream of this.#streams) stream.endSession(id)
  }

  /** Closes every stream, without `end`, and opens none any more: clients go on where they were, with whoever answers next. */
  close(): void {
    this.#isClosed = true
    for (const stream of this.#streams) stream.close()
  }

  #createStream(viewer: Viewer, first = ''): EventStream {
    // A client that comes back at once would keep a server that is stopping from its end.
    if (this.#isClosed) throw refuse(problems.unavailable('The server is stopping. Try again in a moment.'))
    this.#counts.add(viewer)
    const { clock, random, metrics } = this.#context
    const retry = RETRY_MS.least + random.number() * (RETRY_MS.most - RETRY_MS.least)
    const stream = new EventStream(clock, viewer, encodeRetry(retry) + first, this.#forget)
    this.#streams.add(stream)
    metrics.count('streams_opened')
    stream.after(STREAM_LIFE_MS * (0.8 + random.number() * 0.4), () => stream.close())
    return stream
  }

  readonly #forget = (stream: EventStream): void => {
    this.#streams.delete(stream)
    this.#counts.remove(stream.viewer)
  }

  #respond(stream: EventStream, { signal }: Viewer): ReadableStream<Uint8Array> {
    // A request that was over before we listened told nobody.
    if (signal?.aborted) stream.done()
    return this.#openStream(stream)
  }

  #endWith(stream: EventStream, { expiresAt, session }: Access, end: () => void): void {
    if (expiresAt !== undefined) {
      // No stream lives this long, and a longer timer would fire at once: timers hold 31 bits.
      const ms = Math.min(expiresAt - this.#context.clock.now(), 2 * STREAM_LIFE_MS)
      stream.after(Math.max(0, ms), end)
    }
    if (session !== undefined && stream.bind(session, end)) this.#checkSession(stream, session)
  }

  #checkSession(stream: EventStream, session: string): void {
    stream.after(SESSION_CHECK_MS, async () => {
      // While the store is away nobody can be told to be signed out.
      const isOpen = await this.#isSessionOpen(session).catch(() => true)
      if (isOpen) this.#checkSession(stream, session)
      else stream.endSession(session)
    })
  }

  #pingAlways(stream: EventStream): void {
    stream.after(PING_MS, () => {
      stream.ping()
      this.#pingAlways(stream)
    })
  }

  /** How a stream of these jobs subscribes to each: through its owner, where there are too many. @throws ProblemError 422 */
  #subscribe(jobs: readonly Followed[]): (owner: string | undefined) => WatchJob {
    const most = this.#subscriptionsPerStream
    if (most === undefined || jobs.length <= most) return () => this.#watchJob
    const owners = new Set(jobs.map(({ owner = '' }) => owner))
    if (owners.size > most) {
      const detail = `names jobs of ${owners.size} owners; one stream takes those of ${most}`
      throw refuse(problems.invalid([{ field: 'job', detail }]))
    }
    const subscriptions = new Map<string, OwnerSubscription>()
    return (owner = '') => {
      const subscription = subscriptions.get(owner) ?? new OwnerSubscription(this.#context.engine, owner)
      subscriptions.set(owner, subscription)
      return subscription.watch
    }
  }

  /** The key of a channel: one that nothing else has, where streams can't share it. */
  #keyOf(key: string): string {
    return this.#subscriptionsPerStream === undefined ? key : `${key}\n#${++this.#opened}`
  }

  #jobChannel(id: string, view: View, watch = this.#watchJob): JobChannel {
    const key = this.#keyOf(id)
    const channels = this.#jobs[view]
    const open = channels.get(key)
    if (open) return open
    const channel = new JobChannel(this.#context, id, view, watch, () => channels.delete(key))
    channels.set(key, channel)
    return channel
  }

  #ownerChannel(owner: string | undefined, parentId: string | undefined): OwnerChannel {
    const key = this.#keyOf(ownerKey(owner, parentId))
    const open = this.#owners.get(key)
    if (open) return open
    const channel = new OwnerChannel(this.#context, owner, parentId, () => this.#owners.delete(key))
    this.#owners.set(key, channel)
    return channel
  }
}
