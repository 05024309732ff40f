import { closedAsks, closedVersion } from '../../shared/document/asks.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { Receipt } from '../../shared/wire/api.ts'
import type { Change, Documents, Unwatch } from '../jobs/engine.ts'

/** Most jobs that one connection follows. Of others it hears from its receipts. */
export const FOLLOWED_JOBS = 10_000

/** What watchers ask of a job, as of a version. */
export type Requests = Pick<Receipt, 'version' | 'cancelRequested' | 'pauseRequested' | 'answers'>

/** What a follower needs from its connection. */
export interface RequestPort {
  /** Subscribes to a job; resolves without a subscription where the connection may have no more. */
  watch(job: string, wake: (change: Change) => void, onLost: () => void): Promise<Unwatch | undefined>
  /** The header of a job. @throws when the connection may not report on it, or it is gone */
  read(job: string): Promise<JobHeader>
  /** Tells the producer. */
  push(job: string, asked: Requests): void
}

/** Subscribes to jobs, which do not count as watched for that. @param most subscriptions at once */
export function subscribeQuietly(documents: Documents, most = Number.POSITIVE_INFINITY): RequestPort['watch'] {
  let open = 0
  const leave = () => {
    open -= 1
  }
  return async (job, wake, onLost) => {
    if (open >= most) return undefined
    open += 1
    try {
      const unwatch = await documents.watch({ job, quietly: true }, wake, onLost)
      return () => {
        leave()
        unwatch()
      }
    } catch (error) {
      leave()
      throw error
    }
  }
}

interface Followed {
  /** What the producer knows. */
  told: Requests
  unwatch?: Unwatch | undefined
}

/**
 * Tells a producer what watchers ask of its jobs, at once.
 *
 * Every event of a job wakes it, so a wake-up costs two comparisons unless something was asked.
 */
export class RequestFollower {
  readonly #port: RequestPort
  /** In the order in which they were first reported on. */
  readonly #jobs = new Map<string, Followed>()
  #isClosed = false

  constructor(port: RequestPort) {
    this.#port = port
  }

  /** Follows a job, of which the producer was just told this. */
  follow(job: string, asked: Requests): void {
    const known = this.#jobs.get(job)
    if (known) {
      if (asked.version >= known.told.version) known.told = asked
      return
    }
    if (this.#jobs.size >= FOLLOWED_JOBS || this.#isClosed) return
    const followed: Followed = { told: asked }
    this.#jobs.set(job, followed)
    void this.#subscribe(job, followed)
  }

  /** Unsubscribes from all jobs. */
  close(): void {
    this.#isClosed = true
    for (const [job, followed] of this.#jobs) this.#drop(job, followed)
  }

  async #subscribe(job: string, followed: Followed): Promise<void> {
    try {
      const wake = (change: Change) => this.#wake(job, followed, change)
      followed.unwatch = await this.#port.watch(job, wake, () => this.#drop(job, followed))
      // What was asked before the subscription woke nobody.
      if (this.#jobs.get(job) === followed) await this.#check(job, followed)
      else this.#drop(job, followed)
    } catch {
      this.#drop(job, followed)
    }
  }

  #wake(job: string, followed: Followed, { header, removed }: Change): void {
    if (removed) this.#drop(job, followed)
    // A pending job that is cancelled ends in the same moment.
    else if (!header || isNew(followed.told, header)) void this.#check(job, followed)
    else if (isTerminalStatus(header.status)) this.#drop(job, followed)
  }

  /** Reads the job, because the producer may have lost its access to it. */
  async #check(job: string, followed: Followed): Promise<void> {
    try {
      const header = await this.#port.read(job)
      if (this.#jobs.get(job) !== followed) return
      if (isNew(followed.told, header)) {
        const { version, cancelRequested, pauseRequested } = header
        const answers = closedAsks(header)
        followed.told = { version, cancelRequested, pauseRequested, ...(answers ? { answers } : {}) }
        this.#port.push(job, followed.told)
      }
      if (isTerminalStatus(header.status)) this.#drop(job, followed)
    } catch {
      this.#drop(job, followed)
    }
  }

  #drop(job: string, followed: Followed): void {
    if (this.#jobs.get(job) === followed) this.#jobs.delete(job)
    const { unwatch } = followed
    followed.unwatch = undefined
    unwatch?.()
  }
}

/** Whether a job was asked for something else than its producer knows. */
function isNew(told: Requests, header: JobHeader): boolean {
  const { version, cancelRequested, pauseRequested } = header
  if (version <= told.version) return false
  const isAsked = cancelRequested !== told.cancelRequested || pauseRequested !== told.pauseRequested
  return isAsked || (header.asks !== undefined && closedVersion(header) > told.version)
}
