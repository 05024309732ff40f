import { problems, refuse } from '../errors.ts'
import type { Viewer } from './event-stream.ts'

/** Limits of open streams in this process. */
export interface StreamLimits {
  /** Per principal. */
  streams: number
  /** Per job, of streams opened with its watch tokens. */
  jobStreams: number
}

/**
 * Counts open streams per principal; those opened with watch tokens, per job. Otherwise guests could use up the limit of the principal that
 * made the token.
 */
export class StreamCounts {
  readonly #limits: StreamLimits
  readonly #ofPrincipal = new Map<string, number>()
  readonly #ofJob = new Map<string, number>()

  constructor(limits: StreamLimits) {
    this.#limits = limits
  }

  /** Counts a stream. @throws ProblemError 429 when a limit is reached */
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

  /** Uncounts a stream that ended. */
  remove({ sub, jobs }: Viewer): void {
    if (!jobs) decrement(this.#ofPrincipal, sub)
    else for (const job of jobs) decrement(this.#ofJob, job)
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}
