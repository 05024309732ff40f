import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { type Clock, nextTurn, type Random, type Timer } from '../../shared/time/clock.ts'
import type { Delivery } from '../jobs/background/deliveries.ts'
import { interleave } from '../jobs/background/sweeper.ts'
import type { DueJob, DueQuery, Engine, StoredJob } from '../jobs/engine.ts'
import type { Metrics } from '../metrics.ts'
import { attempt } from './attempt.ts'
import { Lanes } from './lanes.ts'
import type { Sender } from './sender.ts'
import type { Undelivered } from './undelivered.ts'

/** Interval at which due deliveries are looked for: milliseconds. */
const PASS_MS = 5_000
/** The same after a job of this process has ended, and at least. */
const SOON_MS = 100
/** A pass takes at most this part of the time. */
const PART = 20
/** Jobs per page of the index, and per turn of the event loop. */
const PAGE = 1_000
const SLICE = 32

interface DelivererOptions {
  engine: Engine
  sender: Sender
  undelivered: Undelivered
  metrics: Metrics
  clock: Clock
  random: Random
  /** Ends a job if it is due. */
  end: (job: Pick<DueJob, 'id'>) => Promise<void>
  /** Called when attempts can't be stored, once until one is; and when jobs can't be read or ended, once until all can. */
  onError: (error: unknown) => void
}

/**
 * Delivers webhooks that are due, which the index of the store names. Does nothing for an engine with alarms of its own, which delivers by
 * itself.
 */
export class Deliverer {
  readonly #options: DelivererOptions
  readonly #lanes = new Lanes(() => {
    if (this.#isMore) this.soon()
  })
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** Milliseconds of the monotonic clock. */
  #notBefore = 0
  /** The last pass has left some out, because too many wait. */
  #isMore = false
  #isPassing = false
  /** There may be new ones since the pass began. */
  #isWanted = false
  #isFailing = false
  /** Some jobs could not be read or ended, and no pass has gone well since. */
  #hasFailedJobs = false
  #isStopped = false

  constructor(options: DelivererOptions) {
    this.#options = options
  }

  start(): void {
    this.#passIn(0)
  }

  stop(): void {
    this.#isStopped = true
    this.#lanes.stop()
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
  }

  /** Looks for due deliveries soon, because there may be new ones. */
  soon(): void {
    this.#passIn(SOON_MS)
  }

  #passIn(ms: number): void {
    const { engine, clock } = this.#options
    if (!engine.due || this.#isStopped) return
    if (this.#isPassing) {
      this.#isWanted = true
      return
    }
    const at = Math.max(clock.monotonic() + ms, this.#notBefore)
    if (at >= this.#timerAt) return
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timerAt = at
    // Not negative, of which runtimes warn: the clock goes on meanwhile.
    this.#timer = clock.setTimeout(() => void this.#run(), Math.max(0, at - clock.monotonic()))
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#isPassing = true
    this.#isWanted = false
    const start = clock.monotonic()
    // The sweeper reads the same index, and tells when that fails.
    const isDone = await this.#pass().then(
      () => true,
      () => false,
    )
    const took = clock.monotonic() - start
    this.#notBefore = clock.monotonic() + (isDone ? PART * took : PASS_MS)
    this.#isPassing = false
    this.#passIn(this.#isWanted ? SOON_MS : PASS_MS)
  }

  /** Finds the deliveries that are due, and lets them wait for their turn. */
  async #pass(): Promise<void> {
    const { engine, clock } = this.#options
    this.#isMore = false
    let after: DueQuery['after']
    let isWell = true
    do {
      const query = { list: 'deliver', before: clock.now(), limit: PAGE, ...(after ? { after } : {}) } as const
      const page = (await engine.due?.(query)) ?? []
      const jobs = interleave(page)
      for (let at = 0; at < jobs.length && !this.#isStopped; at += SLICE) {
        if (!(await this.#admitAll(jobs.slice(at, at + SLICE)))) isWell = false
        await nextTurn(clock)
      }
      after = page.length < PAGE ? undefined : page.at(-1)
    } while (after && !this.#lanes.isFull && !this.#isStopped)
    if (after) this.#isMore = true
    if (isWell) this.#hasFailedJobs = false
  }

  /**
   * Admits jobs, and returns whether all went well. One that can't be read or ended does not keep the webhooks of others.
   *
   * @throws when all failed: the store is away, and is looked at again later
   */
  async #admitAll(jobs: readonly DueJob[]): Promise<boolean> {
    const admitted = await Promise.allSettled(jobs.map((job) => this.#admit(job)))
    const failures = admitted.filter((one) => one.status === 'rejected')
    const [first] = failures
    if (!first) return true
    if (!this.#hasFailedJobs && !this.#isStopped) this.#options.onError(first.reason)
    this.#hasFailedJobs = true
    if (failures.length === jobs.length) throw first.reason
    return false
  }

  async #admit({ id, createdBy }: DueJob): Promise<void> {
    const { engine, clock, end } = this.#options
    if (this.#lanes.isFullFor(createdBy)) {
      this.#isMore = true
      return
    }
    const job = await engine.read(id)
    if (!job) return
    if (!isTerminalStatus(job.header.status)) await end({ id })
    const { header, marks } = job
    for (const delivery of marks.deliveries ?? []) {
      if (delivery.at > clock.now()) continue
      const { url, version } = delivery
      const key = JSON.stringify([id, header.epoch, version, url])
      const run = () => this.#attempt(job, delivery)
      this.#lanes.add({ key, who: createdBy, host: new URL(url).host, run })
    }
  }

  async #attempt(job: StoredJob, delivery: Delivery): Promise<void> {
    const { engine, metrics, onError } = this.#options
    try {
      const fate = await attempt(job, delivery, { ...this.#options, apply: engine.apply.bind(engine) })
      if (fate !== 'missed') metrics.count(`webhooks_${fate}`)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing && !this.#isStopped) onError(error)
      this.#isFailing = true
    }
  }
}
