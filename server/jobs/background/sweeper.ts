import { nextTurn, type Timer } from '../../../shared/time/clock.ts'
import type { DueJob, DueList, DueQuery, DueTerms, Engine } from '../engine.ts'
import type { TrustedClock } from '../trusted-clock.ts'
import { CANCEL_GRACE, dueBefore } from './due.ts'
import type { StoreOutage } from './store-outage.ts'

/** Interval of sweeps: milliseconds. */
const SWEEP_MS = 5_000
/** Jobs processed per turn of the event loop. An engine commits as many together. */
const SLICE = 64
/** Jobs per page of the index, and jobs gathered before they are interleaved by principal. */
const PAGE = 1_000
const GATHERED = 10_000

interface SweeperOptions {
  engine: Engine
  clock: TrustedClock
  outage: StoreOutage
  retentionSeconds: number
  /** URLs in the server's settings that are notified of ends. */
  webhookUrls?: readonly string[]
  /** Called for each job that fails, and for a sweep that does, once until it succeeds. */
  onError: (error: unknown) => void
}

/**
 * Ends jobs that timed out, whose producer went silent or ignores a cancel request, and removes jobs after their retention.
 *
 * A sweep reads the whole due index: first jobs to end, which it looks for again if removals take long. A job that fails blocks no others;
 * the next sweep retries it. Principals take turns, so that one with many due jobs delays others by at most a slice.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  readonly #failing = new Set<string>()
  #isFailing = false
  #timer: Timer | undefined
  #isStopped = false
  /** When the sweep last looked for jobs to end: milliseconds of the monotonic clock. */
  #endedAt = Number.NEGATIVE_INFINITY

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** Sweeps at intervals until `stop()`. Does nothing for an engine with alarms of its own. */
  start(): void {
    const { engine, clock, outage, onError } = this.#options
    if (!engine.due || this.#isStopped) return
    this.#timer = clock.setTimeout(() => {
      void this.sweep()
        .then(
          () => {
            this.#isFailing = false
          },
          (error: unknown) => {
            outage.lastAt = clock.monotonic()
            if (!this.#isFailing) onError(error)
            this.#isFailing = true
          },
        )
        .then(() => this.start())
    }, SWEEP_MS)
  }

  /** Stops after the current slice. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
  }

  /** Ends and removes all due jobs. Rejects when the due index can't be read. */
  async sweep(): Promise<void> {
    await this.#endAll()
    for (const list of ['expire', 'ended'] as const) {
      for await (const slice of this.#slices(list)) {
        await this.#each(slice, (job) => this.#options.engine.remove(job.id, { expired: this.#terms() }))
        if (this.#options.clock.monotonic() - this.#endedAt >= SWEEP_MS) await this.#endAll()
      }
    }
  }

  async #endAll(): Promise<void> {
    this.#endedAt = this.#options.clock.monotonic()
    for await (const slice of this.#slices('end')) await this.#each(slice, (job) => this.end(job))
  }

  /** Ends a job if it is due. Jobs with webhooks to deliver are not in the list of jobs to end, so the deliverer calls this too. */
  async end({ id }: Pick<DueJob, 'id'>): Promise<void> {
    const { engine, retentionSeconds, webhookUrls = [] } = this.#options
    const decide = this.#terms()
    const at = new Date(decide.now).toISOString()
    const applied = await engine.apply(id, { events: [], at, decide, retentionSeconds, webhookUrls })
    if ('refused' in applied && applied.refused.status >= 500) throw new Error(applied.refused.detail)
  }

  #terms(): DueTerms {
    const { clock, outage, retentionSeconds } = this.#options
    // `now()` first: it updates `since` and `steps` if the clock was set.
    const now = clock.now()
    const unsettled = clock.isSettled ? {} : { isUnsettled: true as const }
    const { since, steps } = clock
    const heardMs = clock.monotonic() - (outage.lastAt ?? Number.NEGATIVE_INFINITY)
    const heard = now - heardMs > since ? { heardSince: now - heardMs } : {}
    return { now, since, steps, retentionSeconds, ...heard, ...unsettled }
  }

  /** Processes jobs concurrently. A failure does not affect other jobs. */
  async #each(jobs: readonly DueJob[], work: (job: DueJob) => Promise<unknown>): Promise<void> {
    const outcomes = await Promise.allSettled(jobs.map(work))
    for (const [index, { id }] of jobs.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status !== 'rejected') this.#failing.delete(id)
      else if (!this.#failing.has(id)) {
        this.#failing.add(id)
        this.#options.onError(
          new Error(`Job ${id} is due, but ending or removing it failed; the next sweep retries`, {
            cause: outcome.reason,
          }),
        )
      }
    }
  }

  /** The due jobs of a list, in slices. */
  async *#slices(list: DueList): AsyncIterable<DueJob[]> {
    const { clock } = this.#options
    for await (const gathered of this.#gather(list)) {
      const jobs = interleave(gathered)
      for (let at = 0; at < jobs.length && !this.#isStopped; at += SLICE) {
        yield jobs.slice(at, at + SLICE)
        await nextTurn(clock)
      }
    }
  }

  async *#gather(list: DueList): AsyncIterable<DueJob[]> {
    const terms = this.#terms()
    const before = dueBefore(list, terms)
    // Shortly after the server's start, or after its clock was set, jobs that were due before have a grace period.
    const isGrace = terms.isUnsettled || (list === 'end' && terms.now < terms.since + CANCEL_GRACE)
    let after: DueQuery['after'] = isGrace ? { at: terms.since, id: '' } : undefined
    do {
      const gathered: DueJob[] = []
      do {
        const query = { list, before, limit: PAGE, ...(after ? { after } : {}) }
        const page = (await this.#options.engine.due?.(query)) ?? []
        gathered.push(...page)
        after = page.length < PAGE ? undefined : page.at(-1)
      } while (after && gathered.length < GATHERED)
      yield gathered
    } while (after && !this.#isStopped)
  }
}

/** Interleaves the jobs of principals; the jobs of each keep their order. */
export function interleave(jobs: readonly DueJob[]): DueJob[] {
  const queues = new Map<string, DueJob[]>()
  for (const job of jobs) {
    const queue = queues.get(job.createdBy)
    if (queue) queue.push(job)
    else queues.set(job.createdBy, [job])
  }
  const ordered: DueJob[] = []
  for (let turn = 0; queues.size > 0; turn++) {
    for (const [createdBy, queue] of queues) {
      const job = queue[turn]
      if (job) ordered.push(job)
      else queues.delete(createdBy)
    }
  }
  return ordered
}
