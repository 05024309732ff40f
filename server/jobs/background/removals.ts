import type { JobStatus } from '../../../shared/document/job.ts'
import { type Clock, nextTurn } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'
import type { Documents } from '../engine.ts'

/** Jobs processed per turn of the event loop. */
const PAGE = 100
/** Most running and queued requests per owner. */
const MAX_REQUESTS = 10

/** Selects ended jobs of an owner. */
interface EndedJobs {
  owner: string
  status?: JobStatus
  /** Only jobs that ended before this time: milliseconds since the Unix epoch. */
  endedBefore: number
}

/** Removes ended jobs on request. Requests of one owner run one after another, because each may remove a hundred thousand jobs. */
export class Removals {
  readonly #clock: Clock
  readonly #owners = new Map<string, { requests: number; last: Promise<void> }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Starts a removal after the earlier ones of the owner.
   *
   * @param fullName the owner's among those of all tenants
   * @returns resolves when all jobs are removed
   * @throws ProblemError 429, synchronously, when too many are queued
   */
  start(documents: Documents, fullName: string, jobs: EndedJobs): Promise<void> {
    const queue = this.#owners.get(fullName) ?? { requests: 0, last: Promise.resolve() }
    if (queue.requests >= MAX_REQUESTS) {
      throw refuse(
        problems.tooMany('removals', `${MAX_REQUESTS} such removals are under way. Try again when some are done.`),
      )
    }
    queue.requests += 1
    this.#owners.set(fullName, queue)
    const work = () => this.#removeAll(documents, jobs)
    const removed = queue.last.then(work, work).finally(() => {
      queue.requests -= 1
      if (queue.requests === 0) this.#owners.delete(fullName)
    })
    queue.last = removed
    return removed
  }

  /** Ended jobs never change, so a job is still as it was listed if its epoch is the same. */
  async #removeAll(documents: Documents, { owner, status, endedBefore }: EndedJobs): Promise<void> {
    const failures: unknown[] = []
    const query = { owner, live: false, limit: PAGE, ...(status ? { status } : {}) }
    let cursor: string | undefined
    do {
      const page = await documents.list(cursor === undefined ? query : { ...query, cursor })
      const ended = page.rows.filter(({ endedAt, updatedAt }) => Date.parse(endedAt ?? updatedAt) < endedBefore)
      const outcomes = await Promise.allSettled(ended.map(({ id, epoch }) => documents.remove(id, { epoch })))
      for (const outcome of outcomes) if (outcome.status === 'rejected') failures.push(outcome.reason)
      cursor = page.nextCursor
      await nextTurn(this.#clock)
    } while (cursor !== undefined)
    if (failures.length > 0)
      throw new Error(`${failures.length} ended jobs could not be removed`, { cause: failures[0] })
  }
}
