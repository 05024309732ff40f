import fc from 'fast-check'
import { MemoryEngine } from '../../server/engines/memory.ts'
import { Hub } from '../../server/hub/hub.ts'
import { openStandardStream, standardStreams } from '../../server/hub/stream/stream.ts'
import type { DueList, DueTerms } from '../../server/jobs/engine.ts'
import { FairTurns } from '../../server/jobs/fair-turns.ts'
import { Metrics } from '../../server/metrics.ts'
import type { ProducerEvent } from '../../shared/document/events.ts'
import type { Job } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { producerEvent } from '../arbitraries.ts'
import { SeededRandom } from '../seeded-random.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { type Faults, FaultyEngine, noFaults } from './faulty-engine.ts'
import { Producer } from './producer.ts'
import { Truth } from './truth.ts'
import { Violation } from './watched-document.ts'
import { type Target, Watcher, type World } from './watcher.ts'

const OWNER = 'ada'
const JOBS = ['a', 'b', 'c']
const MAX_STEPS = 120
const MAX_WATCHERS = 12

/** A stream that counts as slow after very little, so that few events suffice to fill it. */
const narrowStream = standardStreams(512)

/** Turns of an event loop that is so busy that one has time for a few steps at most. */
function busyTurns(clock: VirtualClock, random: SeededRandom): FairTurns {
  let now = 0
  const monotonic = () => {
    now += random.below(4)
    return now
  }
  return new FairTurns({ monotonic, setTimeout: (run, ms) => clock.setTimeout(run, ms + random.below(10)) })
}

/** The faults of a run: each run has some, not all, so that they are met alone as well as together. */
function chooseFaults(random: SeededRandom): Faults {
  const some = (value: number) => (random.chance(0.6) ? value : 0)
  return {
    delayMs: some(200),
    failure: some(0.05),
    lostWake: some(0.2),
    lostWatch: some(0.02),
    bareWake: some(0.3),
    pageBytes: random.chance(0.6) ? 200 + random.below(2_000) : noFaults.pageBytes,
  }
}

/**
 * Runs the whole server side in one process, under a clock that stands still: producers, an engine that fails, the hub, and watchers that come,
 * go, stall and come back. Everything follows from the seed. Throws at the first law that is broken; answers how often watchers read which kind
 * of message.
 */
export function simulate(seed: number, streams: Streams): Promise<Map<string, number>> {
  return new Simulation(seed, streams).run()
}

/** Which streams the watchers of a run open. */
export type Streams = keyof typeof targets

const targets = {
  'of one job': (jobs) => jobs.map((job) => ({ job })),
  'of several jobs': (jobs) => [{ jobs }, { jobs: jobs.slice(-1) }],
  'of an owner': () => [{ owner: OWNER }],
} satisfies Record<string, (jobs: string[]) => Target[]>

class Simulation {
  readonly #random: SeededRandom
  readonly #world: World
  readonly #inner = new MemoryEngine()
  readonly #start: number
  readonly #producers: Producer[]
  readonly #watchers = new Set<Watcher>()
  readonly #events: ProducerEvent[]
  readonly #targets: Target[]
  /** Few, so that all that happens meets. */
  readonly #jobs: string[]
  #violation: unknown

  constructor(seed: number, streams: Streams) {
    const random = new SeededRandom(seed)
    const clock = new VirtualClock()
    const engine = new FaultyEngine(this.#inner, clock, random)
    const hub = new Hub({
      engine,
      clock,
      random,
      metrics: new Metrics(),
      pingMs: 30_000,
      frameMs: [0, 25, 250][random.below(3)] ?? 25,
      limits: { streams: 1_000, jobStreams: 1_000 },
      openStream: random.chance(0.7) ? narrowStream : openStandardStream,
      turns: random.chance(0.7) ? busyTurns(clock, random) : undefined,
    })
    const onViolation = (violation: unknown) => {
      this.#violation ??= violation
    }
    this.#random = random
    this.#start = clock.now()
    this.#jobs = JOBS.slice(0, 1 + random.below(JOBS.length))
    this.#targets = targets[streams](this.#jobs)
    this.#world = { clock, random, engine, hub, truth: new Truth(), read: new Map(), onViolation }
    this.#events = fc.sample(producerEvent, { seed, numRuns: 200 }).filter(({ type }) => type !== 'status')
    this.#producers = this.#jobs.map((id) => new Producer(this.#world, id, this.#events))
  }

  async run(): Promise<Map<string, number>> {
    const { engine, truth, clock } = this.#world
    await truth.listen(this.#inner, OWNER)
    for (const producer of this.#producers) await producer.begin()
    engine.faults = chooseFaults(this.#random)
    if (engine.faults.lostWake === 0 && this.#random.chance(0.5)) engine.tellsAll = true
    for (let step = this.#random.below(MAX_STEPS); step > 0 && !this.#violation; step--) {
      this.#act()
      if (this.#random.chance(0.1)) await this.#sweep()
      await clock.advance(this.#pause())
    }
    await this.#calm()
    if (this.#violation) throw this.#violation
    return this.#world.read
  }

  #act(): void {
    const { random } = this.#world
    const producer = this.#producers[random.below(this.#producers.length)] as Producer
    const watcher = [...this.#watchers][random.below(this.#watchers.size)]
    const dice = random.below(100)
    if (!producer.isAlive && random.chance(0.5)) void producer.begin()
    else if (dice < 58) producer.report(1 + random.below(random.chance(0.2) ? 30 : 4))
    else if (dice < 66) {
      const status = random.chance(0.8) ? 'running' : 'pending'
      producer.report(random.below(3), { type: 'status', status, ...this.#statusFields() })
    } else if (dice < 68) void producer.control({ type: 'control', pauseRequested: random.chance(0.5) })
    else if (dice < 69 && random.chance(0.5)) void producer.control({ type: 'control', cancelRequested: true })
    else if (dice < 69)
      void producer.control({ type: 'answer', ask: random.chance(0.5) ? 'a' : 'b', value: true, by: OWNER })
    else if (dice < 72)
      producer.report(random.below(3), { type: 'status', status: this.#end(), ...this.#statusFields() })
    else if (dice < 73) void producer.remove()
    else if (dice < 83) this.#join()
    else if (dice < 88) watcher?.stall()
    else if (dice < 94) watcher?.resume()
    else if (dice < 98) watcher?.drop()
    else if (watcher) {
      watcher.leave()
      this.#watchers.delete(watcher)
    }
  }

  /** What the server does by its own clock: ends jobs that ran out of time, removes those that were kept long enough. */
  async #sweep(): Promise<void> {
    const now = this.#world.clock.now()
    const decide: DueTerms = { now, since: this.#start, steps: [], retentionSeconds: 60 }
    const due = (list: DueList) => this.#inner.due({ list, before: now, limit: 100 })
    for (const { id } of await due('end'))
      await this.#inner.apply(id, { events: [], at: new Date(now).toISOString(), decide, retentionSeconds: 60 })
    for (const { id } of await due('expire')) await this.#inner.remove(id, { expired: decide })
  }

  #join(): void {
    if (this.#watchers.size >= MAX_WATCHERS) return
    const { random } = this.#world
    const target = this.#targets[random.below(this.#targets.length)] as Target
    this.#watchers.add(new Watcher(this.#world, target, random.chance(0.7) ? 'all' : 'header'))
  }

  #statusFields(): object {
    const { random } = this.#world
    const fields = { result: random.below(1_000), metadata: { n: random.below(1_000) }, message: 'm', title: 't' }
    return Object.fromEntries(Object.entries(fields).filter(() => random.chance(0.3)))
  }

  #end(): 'completed' | 'failed' | 'cancelled' {
    return (['completed', 'failed', 'cancelled'] as const)[this.#random.below(3)] ?? 'failed'
  }

  /** Mostly a moment, at times as long as pings and streams live. */
  #pause(): number {
    const dice = this.#random.below(100)
    return dice < 90 ? this.#random.below(60) : dice < 99 ? this.#random.below(35_000) : 1_000_000
  }

  /** The faults stop: everyone has to reach the newest state, and nothing may be left. */
  async #calm(): Promise<void> {
    const { engine, clock, hub } = this.#world
    // Distance is no fault: it stays.
    engine.faults = { ...noFaults, delayMs: engine.faults.delayMs }
    for (const watcher of this.#watchers) watcher.resume()
    await clock.advance(120_000)
    this.#verifyAll()
    const finished = this.#producers.map((producer) =>
      producer.finish({ type: 'status', status: 'completed', result: 'end' }),
    )
    await clock.advance(120_000)
    await Promise.all(finished)
    this.#verifyAll()
    for (const watcher of this.#watchers) watcher.leave()
    // What was on its way arrives.
    await clock.advance(1_000)
    if (this.#violation) return
    const left = { ...hub.open, timers: clock.pending }
    if (!Bun.deepEquals(left, { streams: 0, channels: 0, timers: 0 }))
      throw new Violation(`left over: ${JSON.stringify(left)}`)
  }

  #verifyAll(): void {
    if (this.#violation) throw this.#violation
    for (const producer of this.#producers) producer.verify()
    for (const watcher of this.#watchers) this.#verify(watcher)
  }

  /** A watcher has every job that it follows as it is now, or was told that it is gone. */
  #verify(watcher: Watcher): void {
    for (const id of this.#jobs) {
      if (!watcher.follows(id)) continue
      const truth = this.#world.truth.newest(id)
      const document = watcher.documents.get(id)
      // What ended for a watcher is told no more, whatever life follows.
      if (document?.ended) continue
      // A life that began and ended between two pings, with every wake-up of it lost, is in the list of the next connection.
      if ('owner' in watcher.target && truth && isTerminalStatus(truth.status) && !document?.cursor) continue
      if (!isSame(document?.job, truth)) {
        throw new Violation(
          `${JSON.stringify(watcher.target)} (${watcher.view}) has ${id} at ${place(document?.job)}, and it is at ${place(truth)}`,
        )
      }
    }
  }
}

const isSame = (a: Job | undefined, b: Job | undefined) => a?.epoch === b?.epoch && a?.version === b?.version

const place = (job: Job | undefined) => (job ? `${job.epoch}-${job.version}` : 'no version')
