import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'

/** How far news of a job has come. */
interface Known {
  epoch: string
  version: number
  createdAt: string
  expiresAt: string | undefined
  /** No event follows. */
  ended: boolean
  /** Had ended when the engine was last asked: late wake-ups of it have come by now. */
  settled: boolean
}

/** The versions of an owner's jobs that are known of: what tells news from what was told before, whoever tells it and in whatever order. */
export class KnownJobs {
  readonly #jobs = new Map<string, Known>()

  get(id: string): Readonly<Known> | undefined {
    return this.#jobs.get(id)
  }

  /** Whether a header says more of a job than is known. */
  isNews({ id, epoch, version, createdAt }: JobHeader): boolean {
    const known = this.#jobs.get(id)
    if (!known) return true
    return known.epoch === epoch ? version > known.version : createdAt >= known.createdAt
  }

  set({ id, epoch, version, createdAt, expiresAt, status }: JobHeader): void {
    this.#jobs.set(id, { epoch, version, createdAt, expiresAt, ended: isTerminalStatus(status), settled: false })
  }

  /** Nothing of this life is news any more. */
  setRemoved(id: string, epoch: string, createdAt = this.#jobs.get(id)?.createdAt ?? ''): void {
    const version = Number.POSITIVE_INFINITY
    this.#jobs.set(id, { epoch, version, createdAt, expiresAt: undefined, ended: true, settled: false })
  }

  /** The jobs that have not ended, as far as is known. Forgets those that had ended when this was last asked. */
  *live(): Iterable<string> {
    for (const [id, known] of this.#jobs) {
      if (!known.ended) yield id
      else if (known.settled) this.#jobs.delete(id)
      else known.settled = true
    }
  }
}
