import { type Job, type Queue, QueueEvents } from 'bullmq'
import type { Clock } from '../../shared/time/clock.ts'
import { readBullMQJob, removedOf } from './bullmq-job.ts'
import { type Heard, isBefore } from './changes.ts'
import type { Describe } from './open-bridge.ts'
import { cutText, progressOf } from './progress-of.ts'
import type { QueueBridge } from './queue-bridge.ts'
import type { QueueSource, SourceJob } from './queue-source.ts'

/** The event with which a bridge asks the worker of a job to end it. */
export const CANCEL_EVENT = 'milepost:cancel'

/** What a bridge uses of a queue. */
export type BullMQQueue = Pick<
  Queue,
  | 'name'
  | 'opts'
  | 'toKey'
  | 'keys'
  | 'getBackend'
  | 'getJob'
  | 'getJobs'
  | 'getJobState'
  | 'getMeta'
  | 'getRanges'
  | 'remove'
>

/** Where a bridge begins to read the stream, and what names the Redis that the queue is in. */
interface Beginning {
  sourceId: string
  position: string
}

/**
 * The position of the bridges of a queue, all events before which are reported, in a hash beside the queue. The first bridge begins with
 * what is added from then on.
 */
const BEGIN = {
  numberOfKeys: 2,
  lua: `
    redis.call('HSETNX', KEYS[1], 'source', ARGV[1])
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    redis.call('HSETNX', KEYS[1], 'position', last and last[1] or '0-0')
    return redis.call('HMGET', KEYS[1], 'source', 'position')`,
}
const BEGIN_NAME = 'milepostBegin'

/** The newest entry of the stream. */
const NEWEST = {
  numberOfKeys: 1,
  readOnly: true,
  lua: `
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    return last and last[1] or '0-0'`,
}
const NEWEST_NAME = 'milepostNewest'

/** Jobs of each waiting state that are looked at without an event: those that are next. */
const NEXT = 1_000
/** Jobs that ended while nobody listened, whose events were trimmed: of each state, and at once. */
const ENDED = 10_000
const PAGE = 100
/** How much the clocks of workers may differ from that of Redis: milliseconds. */
const SKEW_MS = 60_000
/** Reads of a job while it changes. */
const READS = 5
/** How often, and how long each time, the rest of the stream is waited for: milliseconds. */
const HEAR_WAITS = 20
const HEAR_MS = 50
/** Entries that the stream keeps, unless the queue says otherwise. */
const STREAM_LENGTH = 10_000

interface SourceOptions {
  readonly queue: BullMQQueue
  readonly bridge: QueueBridge
  readonly clock: Clock
  readonly describe: Describe<Job>
  /** What a document begins with of whose job only the name is known. */
  readonly fields: { readonly kind: string; readonly heartbeatSeconds: number }
  tell(problem: string): void
}

/** A queue of BullMQ. */
export class BullMQSource implements QueueSource {
  readonly #options: SourceOptions
  #events: Pick<QueueEvents, 'close'> | undefined
  /** The newest entry that the bridge has, and what was saved of that. */
  #newest: string
  #saved: string
  /** From when on jobs may have ended unheard: milliseconds; `undefined` for none. */
  #unheardSince: number | undefined
  #isClosed = false
  #isErrorTold = false

  constructor(options: SourceOptions, position: string) {
    this.#options = options
    this.#newest = position
    this.#saved = position
    this.#unheardSince = timeOf(position) || undefined
  }

  /** Finds out where to begin. Rejects while Redis is away. @param id names the Redis, if it has no name */
  static async begin(queue: BullMQQueue, id: string): Promise<Beginning> {
    const client = await queue.getBackend().client
    client.defineCommand(BEGIN_NAME, BEGIN)
    const [sourceId, position] = await client.runCommand(BEGIN_NAME, [placeOf(queue), queue.keys.events ?? '', id])
    return { sourceId: String(sourceId), position: String(position) }
  }

  get name(): string {
    return this.#options.queue.name
  }

  /** Reads the stream from where it was left. */
  listen(): void {
    const { queue, clock, bridge } = this.#options
    if (this.#events || this.#isClosed) return
    const options = { ...connectionOf(queue), lastEventId: this.#newest, autorun: false }
    const events = new QueueEvents(queue.name, options)
    this.#events = events
    const hear = (id: string, entry: string, heard: Heard = {}) => {
      if (this.#events !== events) return
      // Once there is room it is read again from here.
      if (bridge.isFull) {
        this.#unheardSince ??= timeOf(this.#newest)
        return this.#stop()
      }
      this.#newest = entry
      bridge.hear(id, { ...heard, first: entry, newest: entry })
    }
    events.on('added', ({ jobId, name }, entry) => hear(jobId, entry, { name }))
    events.on('progress', ({ jobId, data }, entry) =>
      hear(jobId, entry, { isProgress: true, progress: progressOf(data) }),
    )
    events.on('stalled', ({ jobId }, entry) => hear(jobId, entry, { isLost: true }))
    events.on('completed', ({ jobId, returnvalue }, entry) =>
      hear(jobId, entry, { end: { state: 'completed', result: returnvalue ?? undefined } }),
    )
    events.on('failed', ({ jobId, failedReason }, entry) =>
      hear(jobId, entry, { end: { state: 'failed', message: cutText(failedReason) } }),
    )
    events.on('removed', ({ jobId }, entry) =>
      hear(jobId, entry, { end: { state: 'cancelled', message: 'It was removed from the queue' } }),
    )
    for (const name of ['active', 'waiting', 'delayed', 'waiting-children'] as const)
      events.on(name, ({ jobId }: { jobId: string }, entry: string) => hear(jobId, entry))
    events.on('error', (error) => this.#tell(error))
    const again = () => {
      if (this.#events !== events) return
      this.#stop()
      clock.setTimeout(() => this.listen(), 1_000)
    }
    events.run().then(again, again)
  }

  async read(id: string, heard: Heard): Promise<SourceJob | undefined> {
    const { queue, describe, fields } = this.#options
    let before = await queue.getJobState(id)
    for (let reads = 1; ; reads++) {
      const job = await queue.getJob(id)
      const state = await queue.getJobState(id)
      if (!job && state === 'unknown')
        return heard.end || (await this.#hasHeardAll(id)) ? removedOf(heard, fields) : undefined
      // Both were read at one moment only if nothing changed in between.
      if (job && (state === before || reads === READS)) return readBullMQJob(job, state, describe(job, job.name), heard)
      if (reads === READS) throw new Error(`Job ${id} changes all the time`)
      before = state
    }
  }

  /** Whether the end of a job that is gone can't be heard any more. */
  async #hasHeardAll(id: string): Promise<boolean> {
    const { queue, bridge, clock } = this.#options
    const client = await queue.getBackend().client
    client.defineCommand(NEWEST_NAME, NEWEST)
    const newest = String(await client.runCommand(NEWEST_NAME, [queue.keys.events ?? '']))
    for (let waits = 0; isBefore(this.#newest, newest); waits++) {
      if (waits === HEAR_WAITS) return false
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, HEAR_MS)
      })
    }
    return !bridge.waits(id)
  }

  async remove(id: string): Promise<boolean> {
    try {
      return (await this.#options.queue.remove(id)) === 1
    } catch {
      // It has just begun, or belongs to a scheduler.
      return false
    }
  }

  async cancel(id: string): Promise<void> {
    const { queue } = this.#options
    const { maxLenEvents: MAXLEN = STREAM_LENGTH } = await queue.getMeta()
    const client = await queue.getBackend().client
    const trim = { MAXLEN, approximate: true }
    await client.xadd(queue.keys.events ?? '', '*', { event: CANCEL_EVENT, jobId: id }, trim)
  }

  async *unseen(): AsyncGenerator<string> {
    const { queue } = this.#options
    yield* await queue.getRanges(['active'], 0, -1, true)
    for (const state of ['waiting', 'prioritized', 'delayed', 'waiting-children'] as const)
      yield* await queue.getRanges([state], 0, NEXT - 1, true)
    const since = this.#unheardSince
    if (since === undefined) return
    for (const state of ['completed', 'failed'] as const) yield* this.#endedSince(state, since - SKEW_MS)
    // Not reached when there is no room for all.
    this.#unheardSince = undefined
  }

  async *#endedSince(state: 'completed' | 'failed', since: number): AsyncGenerator<string> {
    for (let start = 0; start < ENDED; start += PAGE) {
      const jobs = await this.#options.queue.getJobs([state], start, start + PAGE - 1, false)
      for (const { id, finishedOn = 0 } of jobs) {
        if (finishedOn < since) return
        if (id !== undefined) yield id
      }
      if (jobs.length < PAGE) return
    }
  }

  async proceed(): Promise<void> {
    const { bridge, queue } = this.#options
    if (!bridge.isFull) this.listen()
    const { first } = bridge
    const position = first === undefined ? this.#newest : before(first)
    if (position === this.#saved) return
    this.#saved = position
    const client = await queue.getBackend().client
    await client.hset(placeOf(queue), { position })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.proceed().catch(() => {})
    this.#stop()
  }

  #stop(): void {
    const events = this.#events
    this.#events = undefined
    void events?.close().catch(() => {})
  }

  #tell(error: Error): void {
    if (this.#isErrorTold || this.#isClosed) return
    this.#isErrorTold = true
    this.#options.tell(`The events of the queue ${this.name} can't be read: ${error.message}`)
  }
}

/** The options of another object of the same queue. */
export function connectionOf({ opts }: Pick<Queue, 'opts'>) {
  const { connection, prefix } = opts
  return prefix === undefined ? { connection } : { connection, prefix }
}

/** The key of the hash with the position. Ids of jobs have no colons. */
const placeOf = (queue: Pick<Queue, 'toKey'>) => queue.toKey('milepost:bridge')

/** The milliseconds of a stream entry. */
const timeOf = (entry: string) => Number(entry.split('-')[0])

/** A position before a stream entry, after those of the milliseconds before it. */
const before = (entry: string) => `${Math.max(0, timeOf(entry) - 1)}-${Number.MAX_SAFE_INTEGER}`
