import type { Applied, Batch } from '../../server/jobs/engine.ts'
import type { AppliedEvent, JobEvent, ProducerEvent } from '../../shared/document/events.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { newHeader } from '../arbitraries.ts'
import { EngineAway } from './faulty-engine.ts'
import { Violation } from './watched-document.ts'
import type { World } from './watcher.ts'

/** Whether an event was written by the server, on a watcher's request or by its own clock. */
const isOfTheServer = (event: JobEvent) =>
  event.type === 'control' ||
  event.type === 'answer' ||
  (event.type === 'error' && event.code === 'producer-silent') ||
  (event.type === 'status' && /^(Cancelled by the server|Failed by the server|Not done)/.test(event.message ?? ''))

/** What the server has written into a status is not of the producer, which here names no attempt. */
function asSent(event: JobEvent): JobEvent {
  if (event.type !== 'status') return event
  const { attempt: _attempt, expiresAt: _expiresAt, ...said } = event as Extract<AppliedEvent, { type: 'status' }>
  return said
}

/** How long a producer waits before it tries a batch again: milliseconds, at most. */
const RETRY_MS = 2_000

/** One job's producer: sends batches one after another, each again and again under one key until it is answered. */
export class Producer {
  readonly id: string
  readonly #world: World
  readonly #events: readonly ProducerEvent[]
  #lives = 0
  #batches = 0
  #busy: Promise<void> | undefined
  #epoch = ''
  /** What was acknowledged in this life. */
  #acknowledged: JobEvent[] = []

  /** @param events what it may report, over and over; no status among them */
  constructor(world: World, id: string, events: readonly ProducerEvent[]) {
    this.#world = world
    this.id = id
    this.#events = events
  }

  /** Whether there is a life of the job that has not ended. */
  get isAlive(): boolean {
    const newest = this.#world.truth.newest(this.id)
    return newest !== undefined && !isTerminalStatus(newest.status)
  }

  /** Begins another life of the job, in place of one that ended, unless the producer is still at work. */
  async begin(): Promise<void> {
    if (this.#busy || this.isAlive) return
    await this.#alone(async () => {
      if (this.#world.truth.newest(this.id)) await this.remove()
      const epoch = `${this.id}x${++this.#lives}`
      const now = new Date(this.#world.clock.now()).toISOString()
      const header = newHeader({
        id: this.id,
        epoch,
        createdAt: now,
        updatedAt: now,
        lastEventAt: now,
        metadata: { life: this.#lives },
        ...(this.#world.random.chance(0.2) ? { timeoutSeconds: 120 } : {}),
        ...(this.#world.random.chance(0.5) ? { heartbeatSeconds: 5 } : {}),
      })
      const marks = { resultVersion: 0, metadataVersion: 1, stepCount: 0, bytes: 0, requestDigest: epoch }
      this.#epoch = epoch
      this.#acknowledged = []
      await this.#insist(() => this.#world.engine.create({ header, marks }))
    })
  }

  /** Sends a batch of a size, followed by the events given, unless it is still at work. */
  report(size: number, ...last: JobEvent[]): void {
    if (this.#busy) return
    const { random } = this.#world
    const events: JobEvent[] = Array.from(
      { length: size },
      () => this.#events[random.below(this.#events.length)] as JobEvent,
    )
    void this.#alone(() => this.#publish([...events, ...last]))
  }

  /** Sends a batch as soon as the one before is done. */
  async finish(last: JobEvent): Promise<void> {
    while (this.#busy) await this.#busy
    await this.#alone(() => this.#publish([last]))
  }

  /** What a watcher, or the server by itself, does to the job. */
  async control(event: JobEvent): Promise<void> {
    await this.#insist(() => this.#world.engine.apply(this.id, this.#batch([event])))
  }

  async remove(): Promise<void> {
    const epoch = this.#epoch
    await this.#insist(() => this.#world.engine.remove(this.id, { epoch }))
  }

  /** Every acknowledged event is in the document, once, in order; and no other of this producer. */
  verify(): void {
    const newest = this.#world.truth.newest(this.id)
    if (!newest || this.#busy) return
    const applied = this.#world.truth
      .life(newest.epoch)
      .events.filter((event) => !isOfTheServer(event))
      .map(({ version: _version, at: _at, ...event }) => asSent(event))
    const at = applied.findIndex((event, index) => !Bun.deepEquals(event, this.#acknowledged[index]))
    if (at >= 0 || applied.length !== this.#acknowledged.length) {
      throw new Violation(
        `${this.id}: ${this.#acknowledged.length} events were acknowledged, ${applied.length} are there; the first that differs is ${at}`,
      )
    }
  }

  async #publish(events: JobEvent[]): Promise<void> {
    const key = { key: `${this.id}-${++this.#batches}`, digest: `${this.#batches}` }
    const epoch = this.#epoch
    const applied = await this.#insist<Applied>(() =>
      this.#world.engine.apply(this.id, { ...this.#batch(events), key }),
    )
    if ('refused' in applied) {
      const newest = this.#world.truth.newest(this.id)
      if (newest && newest.epoch === epoch && !isTerminalStatus(newest.status)) {
        throw new Violation(`${this.id}: refused on a job that lives: ${JSON.stringify(applied.refused)}`)
      }
    } else if (epoch === this.#epoch) this.#acknowledged.push(...events)
  }

  #batch(events: JobEvent[]): Batch {
    return { events, at: new Date(this.#world.clock.now()).toISOString(), retentionSeconds: 60 }
  }

  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof EngineAway)) throw error
        const { clock, random } = this.#world
        await new Promise<void>((resolve) => clock.setTimeout(resolve, random.below(RETRY_MS)))
      }
    }
  }

  #alone(work: () => Promise<void>): Promise<void> {
    this.#busy = work()
      .catch((error) => this.#world.onViolation(error))
      .finally(() => {
        this.#busy = undefined
      })
    return this.#busy
  }
}
