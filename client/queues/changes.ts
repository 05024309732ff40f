import type { EventFields } from '../../shared/document/events.ts'

/** What was heard of a job that has to be looked at. */
export interface Heard {
  /** The stream entries that told: the first that is not done, and the newest. */
  readonly first?: string | undefined
  readonly newest?: string | undefined
  /** Nothing but progress changed. */
  readonly isProgress?: boolean | undefined
  /** The newest that it reported. */
  readonly progress?: EventFields<'progress'> | undefined
  /** The name of the job, when it was just added. */
  readonly name?: string | undefined
  /** Its worker was lost. */
  readonly isLost?: boolean | undefined
  /** How it ended: for a job that its queue removes at its end. */
  readonly end?: HeardEnd | undefined
}

/** The end of a job, as a queue told it. */
interface HeardEnd {
  readonly state: 'completed' | 'failed' | 'cancelled'
  readonly message?: string | undefined
  readonly result?: unknown
}

/** Both, in this order. */
function joined(before: Heard, after: Heard): Heard {
  return {
    first: before.first ?? after.first,
    newest: after.newest ?? before.newest,
    isProgress: before.isProgress && after.isProgress,
    progress: after.progress ?? before.progress,
    name: after.name ?? before.name,
    isLost: after.isLost ?? before.isLost,
    end: after.end ?? before.end,
  }
}

/**
 * The jobs that have to be looked at, the oldest change first, each once. Bounded: who adds to it waits while it is full.
 */
export class Changes {
  readonly #most: number
  readonly #waiting = new Map<string, Heard>()
  readonly #taken = new Map<string, Heard>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#waiting.size
  }

  get isFull(): boolean {
    return this.#waiting.size >= this.#most
  }

  get isEmpty(): boolean {
    return this.#waiting.size + this.#taken.size === 0
  }

  /** Whether more was heard of a job, since it was taken. */
  waits(id: string): boolean {
    return this.#waiting.has(id)
  }

  /** The first stream entry that is not done. */
  get first(): string | undefined {
    let first: string | undefined
    for (const heard of [...this.#waiting.values(), ...this.#taken.values()])
      if (heard.first !== undefined && (first === undefined || isBefore(heard.first, first))) first = heard.first
    return first
  }

  add(id: string, heard: Heard): void {
    const before = this.#waiting.get(id)
    this.#waiting.set(id, before ? joined(before, heard) : heard)
  }

  /** Takes the oldest change that may be taken; it is not taken again until {@link done}. */
  take(mayTake: (id: string, heard: Heard) => boolean): { id: string; heard: Heard } | undefined {
    for (const [id, heard] of this.#waiting) {
      if (this.#taken.has(id) || !mayTake(id, heard)) continue
      this.#waiting.delete(id)
      this.#taken.set(id, heard)
      return { id, heard }
    }
    return undefined
  }

  done(id: string): void {
    this.#taken.delete(id)
  }

  /** Puts a change back, behind the others. */
  again(id: string): void {
    const heard = this.#taken.get(id)
    const after = this.#waiting.get(id)
    this.#taken.delete(id)
    if (!heard) return
    this.#waiting.delete(id)
    this.#waiting.set(id, after ? joined(heard, after) : heard)
  }
}

/** Whether a stream entry is before another. */
export function isBefore(one: string, other: string): boolean {
  const [ms = 0, n = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherN = 0] = other.split('-').map(Number)
  return ms < otherMs || (ms === otherMs && n < otherN)
}
