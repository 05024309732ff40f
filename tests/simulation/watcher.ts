import type { Followed, Hub } from '../../server/hub/hub.ts'
import type { View } from '../../server/jobs/engine.ts'
import { startOf } from '../../server/jobs/paging/paging.ts'
import type { Patch } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { PingData } from '../../shared/wire/messages.ts'
import { EventStreamParser } from '../event-stream-parser.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { EngineAway, type FaultyEngine } from './faulty-engine.ts'
import type { Truth } from './truth.ts'
import { Violation, WatchedDocument } from './watched-document.ts'

/** What watchers live in. */
export interface World {
  clock: VirtualClock
  random: SeededRandom
  engine: FaultyEngine
  hub: Hub
  truth: Truth
  /** How often each kind of message was read: what a simulation never meets, it proves nothing of. */
  read: Map<string, number>
  /** Told of every law that is broken. */
  onViolation(violation: unknown): void
}

/** How long a watcher waits before it connects again: milliseconds, at most. */
const RECONNECT_MS = 5_000

/** What a watcher follows: one job, some jobs by name, or all of an owner's. */
export type Target = { job: string } | { jobs: string[] } | { owner: string }

/**
 * Somebody who follows jobs, and behaves as clients do: reads, stops reading for a while, loses the connection in the middle of a message,
 * connects again with what it has.
 */
export class Watcher {
  readonly view: View
  readonly target: Target
  readonly documents = new Map<string, WatchedDocument>()
  readonly #world: World
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #stall: PromiseWithResolvers<void> | undefined
  #timer: unknown
  #gone = false

  constructor(world: World, target: Target, view: View) {
    this.#world = world
    this.target = target
    this.view = 'owner' in target ? 'header' : view
    void this.#connect()
  }

  /** The jobs that it follows by name; `undefined` when it follows whatever its owner has. */
  get #names(): string[] | undefined {
    if ('job' in this.target) return [this.target.job]
    return 'jobs' in this.target ? this.target.jobs : undefined
  }

  follows(id: string): boolean {
    return this.#names?.includes(id) ?? true
  }

  /** Everything that it follows by name has ended. */
  get done(): boolean {
    return this.#names?.every((id) => this.documents.get(id)?.ended !== undefined) ?? false
  }

  /** Stops reading, as a phone in a tunnel does: the connection stays. */
  stall(): void {
    this.#stall ??= Promise.withResolvers()
  }

  resume(): void {
    this.#stall?.resolve()
    this.#stall = undefined
  }

  /** Loses the connection, and connects again after a while. */
  drop(): void {
    void this.#reader?.cancel().catch(() => {})
    this.resume()
  }

  /** Leaves for good. */
  leave(): void {
    this.#gone = true
    this.#world.clock.clearTimeout(this.#timer)
    this.drop()
  }

  async #connect(): Promise<void> {
    if (this.#gone || this.done) return
    try {
      const stream = await this.#open()
      if (stream) await this.#read(stream)
    } catch (error) {
      // The answer was a 503.
      if (!(error instanceof EngineAway)) {
        this.#world.onViolation(new Violation(`${JSON.stringify(this.target)}, ${this.view}`, { cause: error }))
      }
    }
    if (!this.#gone && !this.done) {
      const { clock, random } = this.#world
      const wait = random.below(random.chance(0.5) ? RECONNECT_MS : 100)
      this.#timer = clock.setTimeout(() => void this.#connect(), wait)
    }
  }

  /** What the route does before it opens the stream. */
  async #open(): Promise<ReadableStream<Uint8Array> | undefined> {
    const { hub, engine } = this.#world
    const viewer = { sub: 'ada' }
    if ('owner' in this.target) return hub.openOwner(this.target.owner, undefined, viewer)
    const followed: (Followed & { gone: boolean })[] = []
    for (const id of this.#names ?? []) {
      const document = this.#document(id)
      if (document.ended) continue
      const stored = await engine.read(id)
      const cursor = stored && document.cursor && startOf(document.cursor, stored) > 0 ? document.cursor : undefined
      const isLast = stored !== undefined && cursor?.version === stored.header.version
      if (stored && isLast && isTerminalStatus(stored.header.status) && 'job' in this.target) {
        // 204: nothing will ever follow.
        document.take('end', { reason: stored.header.status }, '')
        return undefined
      }
      followed.push({ id, view: this.view, cursor, gone: stored === undefined })
    }
    if (followed.every(({ gone }) => gone)) {
      for (const { id } of followed) this.#document(id).take('end', { reason: 'deleted' }, '')
      return undefined
    }
    const [first] = followed
    if ('job' in this.target && first) return hub.openJob(first.id, this.view, first.cursor, viewer)
    return hub.openJobs(followed, viewer)
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const { random } = this.#world
    const parser = new EventStreamParser()
    const reader = stream.getReader()
    this.#reader = reader
    // Of an owner's jobs a new connection is told everything anew.
    if ('owner' in this.target) this.documents.clear()
    if (this.#gone) await reader.cancel()
    for (;;) {
      await this.#stall?.promise
      const { done, value } = await reader.read()
      if (done) return
      // Now and then the connection breaks in the middle of what arrives.
      const breaks = this.#world.engine.faults.failure > 0 && random.chance(0.01)
      parser.push(breaks ? value.subarray(0, random.below(value.length)) : value)
      for (const message of parser.dispatched.splice(0)) this.#take(message)
      if (breaks || this.done) {
        await reader.cancel()
        return
      }
    }
  }

  #take({ event, data, lastEventId }: { event: string; data: string; lastEventId: string }): void {
    const parsed = JSON.parse(data)
    const kind = event === 'end' ? `end ${parsed.reason}` : parsed.more ? `${event} with more` : event
    this.#world.read.set(kind, (this.#world.read.get(kind) ?? 0) + 1)
    if (event === 'ping') {
      this.#takePing(parsed)
      return
    }
    if ('job' in this.target) {
      this.#document(this.target.job).take(event, parsed, lastEventId)
      return
    }
    if (lastEventId !== '') throw new Violation('an id on a stream of several jobs')
    const { jobId, cursor, ...rest } = parsed
    const document = this.#document(jobId)
    if ('owner' in this.target && this.#isLateNews(document, event, rest)) return
    document.take(event, rest, cursor)
    // A job that was removed may be made again; an owner's stream then tells of the new one.
    if (document.ended && 'owner' in this.target) this.documents.delete(jobId)
  }

  /** What wake-ups that come late tell of a job that was gone before the owner's jobs were listed. */
  #isLateNews({ cursor }: WatchedDocument, event: string, data: Patch): boolean {
    if (event === 'end') return cursor === undefined
    return event === 'patch' && cursor?.epoch !== data.job.epoch && this.#world.truth.life(data.job.epoch).removed
  }

  #takePing({ at, version }: PingData): void {
    if (Date.parse(at) > this.#world.clock.now()) throw new Violation(`a ping from the future: ${at}`)
    const job = 'job' in this.target ? this.documents.get(this.target.job)?.job : undefined
    if (version !== undefined && job && version > job.version) {
      throw new Violation(`a ping of version ${version} to one who has ${job.version}, and reads`)
    }
  }

  #document(id: string): WatchedDocument {
    const known = this.documents.get(id)
    if (known) return known
    const document = new WatchedDocument(this.#world.truth, this.view)
    this.documents.set(id, document)
    return document
  }
}
