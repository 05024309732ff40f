import { problems, refuse } from '../errors.ts'
import type { Viewer } from './event-stream.ts'

/** How many streams may be open here. */
export interface StreamLimits {
  /** Of one principal. */
  streams: number
  /** Of one job, to those who have a watch token of it. */
  jobStreams: number
}

/**
 * The streams that are open here, by who answers for them: a principal for its own; a job for those that its watch tokens open. Guests
 * would else lock out whoever gave them the token.
 */
export class StreamCounts {
  readonly #limits: StreamLimits
  readonly #ofPrincipal = new Map<string, number>()
  readonly #ofJob = new Map<string, number>()

  constructor(limits: StreamLimits) {
    this.#limits = limits
  }

  /** Counts a stream. @throws ProblemError 429 when there are too many */
  add({ sub, jobs }: Viewer): void {
    const { streams, jobStreams } = this.#limits
    if (!jobs) {
      const open = this.#ofPrincipal.get(sub) ?? 0
      if (open >= streams)
        throw refuse(problems.tooMany('streams', `You have ${open} streams open. Close some, then try again.`))
      this.#ofPrincipal.set(sub, open + 1)
      return
    }
    for (const job of jobs) {
      const open = this.#ofJob.get(job) ?? 0
      if (open < jobStreams) continue
      throw refuse(
        problems.tooMany('jobStreams', `Watch tokens have ${open} streams of job ${job} open. Try again later.`),
      )
    }
    for (const job of jobs) this.#ofJob.set(job, (this.#ofJob.get(job) ?? 0) + 1)
  }

  /** A stream that was counted is done. */
  remove({ sub, jobs }: Viewer): void {
    if (!jobs) takeOne(this.#ofPrincipal, sub)
    else for (const job of jobs) takeOne(this.#ofJob, job)
  }
}

function takeOne(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}
