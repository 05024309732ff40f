import type { JobStatus } from '../../shared/document/job.ts'
import { type Clock, nextTurn } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine } from './engine.ts'

/** Jobs that are looked at in one go; then whatever else waits has its turn. */
const PAGE = 100
/** Requests of one owner that may be under way or wait. */
const MOST_REQUESTS = 10

/** Which ended jobs of an owner are to be removed. */
export interface EndedJobs {
  owner: string
  status?: JobStatus
  /** Only those that ended before this moment: milliseconds since the epoch. */
  endedBefore: number
}

/** Removes ended jobs on request, of one owner after the other's turn: there may be a hundred thousand. */
export class Removals {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #owners = new Map<string, { requests: number; last: Promise<void> }>()

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  /**
   * Begins, or waits for the owner's requests before.
   *
   * @returns resolves when all are removed
   * @throws ProblemError 429 when too many wait
   */
  start(jobs: EndedJobs): Promise<void> {
    const { owner } = jobs
    const line = this.#owners.get(owner) ?? { requests: 0, last: Promise.resolve() }
    if (line.requests >= MOST_REQUESTS) {
      throw refuse(
        problems.tooMany('removals', `${MOST_REQUESTS} such removals are under way. Try again when some are done.`),
      )
    }
    line.requests += 1
    this.#owners.set(owner, line)
    const work = () => this.#removeAll(jobs)
    const removed = line.last.then(work, work).finally(() => {
      line.requests -= 1
      if (line.requests === 0) this.#owners.delete(owner)
    })
    line.last = removed
    return removed
  }

  /** An ended job does not change any more: nothing can have come in between, if it is removed in the life in which it was read. */
  async #removeAll({ owner, status, endedBefore }: EndedJobs): Promise<void> {
    const failures: unknown[] = []
    const query = { owner, live: false, limit: PAGE, ...(status ? { status } : {}) }
    let cursor: string | undefined
    do {
      const page = await this.#engine.list(cursor === undefined ? query : { ...query, cursor })
      const ended = page.rows.filter(({ endedAt, updatedAt }) => Date.parse(endedAt ?? updatedAt) < endedBefore)
      const outcomes = await Promise.allSettled(ended.map(({ id, epoch }) => this.#engine.remove(id, { epoch })))
      for (const outcome of outcomes) if (outcome.status === 'rejected') failures.push(outcome.reason)
      cursor = page.nextCursor
      await nextTurn(this.#clock)
    } while (cursor !== undefined)
    if (failures.length > 0)
      throw new Error(`${failures.length} ended jobs could not be removed`, { cause: failures[0] })
  }
}
