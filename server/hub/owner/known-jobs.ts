import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'

/** The newest known state of a job. */
interface Known {
  epoch: string
  version: number
  createdAt: string
  expiresAt: string | undefined
  /** Whether the status is terminal, or the job was removed: no event follows. */
  ended: boolean
  /** Whether it had ended by the previous check: late wake-ups have arrived by now. */
  settled: boolean
  /** When a list found it, in the channel's order; 0 if it was an update, or had ended. */
  found: number
}

/** Known jobs, each with when a list found it; 0 if it was an update. */
export type FoundJobs = Iterator<{ id: string; found: number }, undefined>

/** The newest known version of each of an owner's jobs. Filters out stale headers, whatever their source and order. */
export class KnownJobs {
  readonly #jobs = new Map<string, Known>()

  get(id: string): Readonly<Known> | undefined {
    return this.#jobs.get(id)
  }

  /** Whether a header is newer than the known version. */
  isNewer({ id, epoch, version, createdAt }: JobHeader): boolean {
    const known = this.#jobs.get(id)
    if (!known) return true
    return known.epoch === epoch ? version > known.version : createdAt >= known.createdAt
  }

  /** @param found when a list found it, unless it is an update */
  set({ id, epoch, version, createdAt, expiresAt, status }: JobHeader, found = 0): void {
    const ended = isTerminalStatus(status)
    this.#jobs.set(id, { epoch, version, createdAt, expiresAt, ended, settled: false, found })
  }

  /** Marks an epoch as removed: no header of it is newer. */
  setRemoved(id: string, epoch: string, createdAt = this.#jobs.get(id)?.createdAt ?? ''): void {
    const version = Number.POSITIVE_INFINITY
    this.#jobs.set(id, { epoch, version, createdAt, expiresAt: undefined, ended: true, settled: false, found: 0 })
  }

  /** All jobs, those added while iterating included. */
  *found(): FoundJobs {
    for (const [id, { found }] of this.#jobs) yield { id, found }
    return undefined
  }

  /** Ids of jobs not known to have ended. Forgets jobs that had already ended at the previous call. */
  *live(): Iterable<string> {
    for (const [id, known] of this.#jobs) {
      if (!known.ended) yield id
      else if (known.settled) this.#jobs.delete(id)
      else known.settled = true
    }
  }
}
