import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { Hub, type HubOptions, type Viewer } from '../../../../server/hub/hub.ts'
import type { Sink, StreamSource } from '../../../../server/hub/stream/stream.ts'
import type { Engine } from '../../../../server/jobs/engine.ts'
import { Metrics } from '../../../../server/metrics.ts'
import type { JobEvent } from '../../../../shared/document/events.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'
import { EventStreamParser } from '../../../event-stream-parser.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

const marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }

/** The reading end of a stream, in the hands of a test: whether it has room, and every write as it was made. */
export class Reader implements Sink {
  hasRoom = true
  /** Whether a write leaves no room, so that each waits until the one before is drained. */
  takesOneWrite = false
  isClosed = false
  /** Thrown at the next write, as a runtime does for a reader that is gone. */
  failure: Error | undefined
  readonly writes: Uint8Array[] = []
  /** The first ping, which says what time it is once all that there was is sent: no part of the writes. */
  greeting: { text: string; after: string } | undefined
  readonly #source: StreamSource

  constructor(source: StreamSource) {
    this.#source = source
    source.start(this)
    this.pull()
  }

  write(bytes: Uint8Array): void {
    if (this.failure) throw this.failure
    if (this.isClosed) throw new TypeError('Written after the end')
    if (this.takesOneWrite) this.hasRoom = false
    const text = new TextDecoder().decode(bytes)
    if (this.greeting || !text.startsWith('event: ping')) this.writes.push(bytes)
    else this.greeting = { text, after: new TextDecoder().decode(this.writes.at(-1)) }
  }

  close(): void {
    this.isClosed = true
  }

  pull(): void {
    this.#source.pull()
  }

  /** There is room again. */
  drain(): void {
    this.hasRoom = true
    this.pull()
  }

  /** The reader leaves. */
  cancel(): void {
    this.#source.cancel()
  }

  /** What was written since this was last asked, write by write. */
  take(): string[] {
    return this.writes.splice(0).map((bytes) => new TextDecoder().decode(bytes))
  }

  /** The same as messages, each as its event and the id or cursor it carries; for `end`, its reason. */
  takeMessages(): string[] {
    const parser = new EventStreamParser()
    for (const text of this.take()) parser.push(new TextEncoder().encode(text))
    return parser.dispatched.map(({ event, data, lastEventId }) => {
      const { jobId, cursor, reason, more, version } = JSON.parse(data)
      const place = reason ?? cursor ?? (event === 'ping' ? version : lastEventId)
      return [event, jobId, place, more && 'more'].filter((word) => word !== undefined).join(' ')
    })
  }
}

/** A hub over an engine in memory, with readers and time in the hands of a test. */
export class TestHub {
  readonly clock = new VirtualClock()
  readonly engine: MemoryEngine
  readonly hub: Hub
  readonly metrics = new Metrics()
  /** Watches of the engine that are open. */
  watches = 0
  #reader: Reader | undefined

  /** @param real use the streams of the runtime */
  constructor(options: Partial<HubOptions> & { real?: boolean } = {}) {
    this.engine = new MemoryEngine()
    const watch = this.engine.watch.bind(this.engine)
    this.engine.watch = async (...args) => {
      const unwatch = await watch(...args)
      this.watches += 1
      return () => {
        this.watches -= 1
        unwatch()
      }
    }
    this.#awaitWakeUps('create', 'apply', 'remove')
    const seam = (source: StreamSource) => {
      this.#reader = new Reader(source)
      return new ReadableStream<Uint8Array>()
    }
    this.hub = new Hub({
      engine: this.engine,
      clock: this.clock,
      random: new SeededRandom(1),
      metrics: this.metrics,
      frameMs: 25,
      pingMs: 30_000,
      limits: { streams: 10_000, jobStreams: 10_000 },
      ...(options.real ? {} : { openStream: seam }),
      ...options,
    })
  }

  /** The engine wakes subscribers some microtasks after its answer: here it answers after them. */
  #awaitWakeUps(...methods: ('create' | 'apply' | 'remove')[]): void {
    const engine = this.engine as Record<(typeof methods)[number], (...args: never[]) => Promise<unknown>>
    for (const method of methods) {
      const original = engine[method].bind(this.engine)
      engine[method] = async (...args) => {
        const answer = await original(...args)
        for (let tasks = 0; tasks < 5; tasks++) await undefined
        return answer
      }
    }
  }

  /** Opens a stream with one of the hub's methods, lets it read what there is, and answers its reading end. */
  async open(open: (hub: Hub) => Promise<unknown>): Promise<Reader> {
    await open(this.hub)
    const reader = this.#reader
    if (!reader) throw new Error('No stream was opened')
    await settle()
    return reader
  }

  /** Follows one job from its beginning, and has read what there is. */
  async follow(id = 'job-1', view: 'all' | 'header' = 'all', sub = 'ada'): Promise<Reader> {
    const reader = await this.open((hub) => hub.openJob(id, view, undefined, { sub }))
    reader.take()
    return reader
  }

  async create(fields: Partial<JobHeader> = {}): Promise<JobHeader> {
    const header = newHeader({ createdAt: this.now, updatedAt: this.now, lastEventAt: this.now, ...fields })
    await this.engine.create({ header, marks: { ...marks, metadataVersion: header.metadata ? 1 : 0 } })
    return header
  }

  /** Applies events as one batch. */
  async apply(id: string, ...events: JobEvent[]): Promise<void> {
    const applied = await this.engine.apply(id, { events, at: this.now })
    if ('refused' in applied) throw new Error(applied.refused.detail)
  }

  /** Applies events one by one, each a change of its own. */
  async report(id: string, ...events: JobEvent[]): Promise<void> {
    for (const event of events) await this.apply(id, event)
  }

  /** Holds the answers of a method of the engine back until the gate that this gives is opened. Each is made before it is held. */
  hold(method: 'changesSince' | 'read' | 'list' | 'watch'): () => Promise<void> {
    const gate = Promise.withResolvers<void>()
    const engine = this.engine as Record<typeof method, (...args: never[]) => Promise<unknown>>
    const original = engine[method].bind(this.engine)
    engine[method] = async (...args) => {
      const answer = await original(...args)
      await gate.promise
      return answer
    }
    return async () => {
      engine[method] = original
      gate.resolve()
      await settle()
    }
  }

  /** Lets a method of the engine fail from now on, until the returned function is called. */
  fail(method: keyof Engine): () => void {
    const engine = this.engine as unknown as Record<string, unknown>
    const original = engine[method]
    engine[method] = () => Promise.reject(new Error('The engine is away'))
    return () => {
      engine[method] = original
    }
  }

  counter(name: string): number {
    return Number(new RegExp(`^milepost_${name}_total (\\d+)$`, 'm').exec(this.metrics.render([]))?.[1])
  }

  get now(): string {
    return new Date(this.clock.now()).toISOString()
  }
}

export const progress = (done: number): JobEvent => ({ type: 'progress', done })
export const log = (message: string): JobEvent => ({ type: 'log', message })

/** What is open in a hub that nobody follows. */
export const none = { streams: 0, channels: 0 }

/** A hub with two jobs. */
export async function setUpTwo(options: ConstructorParameters<typeof TestHub>[0] = {}): Promise<TestHub> {
  const test = new TestHub(options)
  await test.create()
  await test.create({ id: 'job-2' })
  return test
}

type OpenWay = (hub: Hub, viewer: Viewer) => Promise<ReadableStream<Uint8Array>>

/** The three ways to open a stream of jobs. */
export const waysOfJobs: Record<string, OpenWay> = {
  'of one job': (hub, viewer) => hub.openJob('job-1', 'all', undefined, viewer),
  'of several jobs': (hub, viewer) => hub.openJobs([{ id: 'job-1' }, { id: 'job-2' }], viewer),
  "of an owner's jobs": (hub, viewer) => hub.openOwner('ada', undefined, viewer),
}

/** All ways to open a stream. */
export const ways: Record<string, OpenWay> = {
  ...waysOfJobs,
  'of figures': (hub, viewer) => hub.openFigures(async () => ({ at: '2026-01-01T00:00:00.000Z' }), viewer),
}

/** Follows all of `ada`'s jobs. */
export const openAll = (hub: Hub) => hub.openOwner('ada', undefined, { sub: 'ada' })

/** A hub, an owner's job in it, and a reader that has been told of it. */
export async function setUpOwner() {
  const test = new TestHub()
  await test.create({ id: 'a' })
  const reader = await test.open(openAll)
  reader.take()
  return { hub: test, reader }
}
