import { nextTurn, type Timer } from '../../shared/time/clock.ts'
import { CANCEL_GRACE, dueBefore } from './due.ts'
import type { DueJob, DueList, DueQuery, DueTerms, Engine } from './engine.ts'
import type { TrustedClock } from './trusted-clock.ts'

/** How often the server looks for jobs that are due: milliseconds. */
const SWEEP_MS = 5_000
/** Jobs that are done at once; then whatever else waits has its turn. An engine commits as many together. */
const SLICE = 64
/** Jobs of a page of the index, and how many are gathered before the principals take turns. */
const PAGE = 1_000
const GATHERED = 10_000

interface SweeperOptions {
  engine: Engine
  clock: TrustedClock
  retentionSeconds: number
  /** Told of each job that fails, once until it succeeds. */
  onError: (error: unknown) => void
}

/**
 * Does what is due by itself: ends jobs that ran out of time or whose producer does not answer, and removes those that were kept long enough.
 *
 * One pass goes through the index from its beginning to its end: jobs to be ended first, and again while the removals take their time. What
 * fails stands in nobody's way, and is tried again in the next pass. The principals take turns, so that one with many due jobs delays
 * others by no more than a slice.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  readonly #failing = new Set<string>()
  #timer: Timer | undefined
  #isStopped = false
  /** When jobs were last looked for that are to be ended, by the monotonic clock. */
  #endedAt = Number.NEGATIVE_INFINITY

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** Sweeps now and then, until it is stopped. An engine with alarms of its own needs none of it. */
  start(): void {
    const { engine, clock, onError } = this.#options
    if (!engine.due || this.#isStopped) return
    this.#timer = clock.setTimeout(() => {
      void this.sweep()
        .catch(onError)
        .then(() => this.start())
    }, SWEEP_MS)
  }

  /** Ends with the slice that is under way. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
  }

  /** Does all that is due. Rejects when the engine can't tell what is. */
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
    for await (const slice of this.#slices('end')) await this.#each(slice, (job) => this.#end(job))
  }

  async #end({ id }: DueJob): Promise<void> {
    const decide = this.#terms()
    const { retentionSeconds, now } = decide
    const at = new Date(now).toISOString()
    const applied = await this.#options.engine.apply(id, { events: [], at, decide, retentionSeconds })
    if ('refused' in applied && applied.refused.status >= 500) throw new Error(applied.refused.detail)
  }

  #terms(): DueTerms {
    const { clock, retentionSeconds } = this.#options
    // First: it may find that the clock was set.
    const now = clock.now()
    return { now, since: clock.since, steps: clock.steps, retentionSeconds }
  }

  /** Does the same with several jobs at once; the failure of one is its own. */
  async #each(jobs: readonly DueJob[], work: (job: DueJob) => Promise<unknown>): Promise<void> {
    const outcomes = await Promise.allSettled(jobs.map(work))
    for (const [index, { id }] of jobs.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status !== 'rejected') this.#failing.delete(id)
      else if (!this.#failing.has(id)) {
        this.#failing.add(id)
        this.#options.onError(
          new Error(`Job ${id} is due, but ending or removing it failed; it is tried again`, { cause: outcome.reason }),
        )
      }
    }
  }

  /** The due jobs of a list, a slice at a time. */
  async *#slices(list: DueList): AsyncIterable<DueJob[]> {
    const { clock } = this.#options
    for await (const gathered of this.#gather(list)) {
      const jobs = takingTurns(gathered)
      for (let at = 0; at < jobs.length && !this.#isStopped; at += SLICE) {
        yield jobs.slice(at, at + SLICE)
        await nextTurn(clock)
      }
    }
  }

  async *#gather(list: DueList): AsyncIterable<DueJob[]> {
    const terms = this.#terms()
    const before = dueBefore(list, terms)
    // Soon after the start, whoever was due before it has a grace.
    const isGrace = list === 'end' && terms.now < terms.since + CANCEL_GRACE
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

/** The jobs of the principals in turn, each principal's in their order. */
export function takingTurns(jobs: readonly DueJob[]): DueJob[] {
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
