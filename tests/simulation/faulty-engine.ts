import type {
  Applied,
  Batch,
  Change,
  Created,
  Engine,
  JobToCreate,
  ListQuery,
  Notes,
  Page,
  RemoveOnly,
  StoredJob,
  Unwatch,
  View,
  WatchTarget,
} from '../../server/jobs/engine.ts'
import type { Cursor } from '../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../shared/document/job.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { VirtualClock } from '../virtual-clock.ts'

/** How unkind an engine is. Probabilities are in [0, 1]. */
export interface Faults {
  /** The longest that a call, its answer or a wake-up takes: milliseconds. */
  delayMs: number
  /** That a call fails, half of them after it was done: its answer is lost. */
  failure: number
  /** That a wake-up is lost. */
  lostWake: number
  /** That a subscription is lost at a change, and its watcher told so. */
  lostWatch: number
  /** That a wake-up tells the versions alone, without events or header. */
  bareWake: number
  /** Bytes of a page, whatever the caller would take. */
  pageBytes: number
}

export const noFaults: Faults = {
  delayMs: 0,
  failure: 0,
  lostWake: 0,
  lostWatch: 0,
  bareWake: 0,
  pageBytes: Number.POSITIVE_INFINITY,
}

/** A call failed, or its answer was lost. */
export class EngineAway extends Error {}

/**
 * An engine as far away and as unreliable as its contract lets it be: calls and answers take time and fail, wake-ups come late, bare or not
 * at all. Those of one job that do come, come in their order.
 */
export class FaultyEngine implements Engine {
  readonly name = 'faulty'
  /** Whether it says that no wake-up is lost: then none may be, as long as the subscription is not. */
  tellsAll?: true
  faults: Faults = noFaults
  readonly notes: Notes
  readonly #inner: Engine
  readonly #clock: VirtualClock
  readonly #random: SeededRandom

  constructor(inner: Engine, clock: VirtualClock, random: SeededRandom) {
    this.notes = inner.notes
    this.#inner = inner
    this.#clock = clock
    this.#random = random
  }

  create(job: JobToCreate): Promise<Created> {
    return this.#call(() => this.#inner.create(job))
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    return this.#call(() => this.#inner.apply(id, batch))
  }

  read(id: string): Promise<StoredJob | undefined> {
    return this.#call(() => this.#inner.read(id))
  }

  changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const maxBytes = Math.min(page.maxBytes, this.faults.pageBytes)
    return this.#call(() => this.#inner.changesSince(id, cursor, { ...page, maxBytes }))
  }

  list(query: ListQuery): Promise<Page<JobHeader>> {
    return this.#call(() => this.#inner.list(query))
  }

  remove(id: string, only?: RemoveOnly): Promise<boolean> {
    return this.#call(() => this.#inner.remove(id, only))
  }

  async watch(target: WatchTarget, wake: (change: Change) => void, onLost?: () => void): Promise<Unwatch> {
    let open = true
    let lost = false
    let lastAt = 0
    const inOrder = (run: () => void) => {
      const wait = Math.max(this.#delay(), lastAt - this.#clock.now())
      if (wait <= 0) {
        run()
        return
      }
      lastAt = this.#clock.now() + wait
      this.#clock.setTimeout(() => {
        if (open) run()
      }, wait)
    }
    const unwatch = await this.#call(() =>
      this.#inner.watch(target, (change) => {
        if (lost) return
        lost = this.#random.chance(this.faults.lostWatch)
        if (lost) {
          inOrder(() => onLost?.())
        } else if (!this.#random.chance(this.faults.lostWake)) {
          const told = this.#told(change)
          inOrder(() => wake(told))
        }
      }),
    )
    return () => {
      open = false
      unwatch()
    }
  }

  check(): Promise<void> {
    return this.#call(() => this.#inner.check())
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #told(change: Change): Change {
    if (!this.#random.chance(this.faults.bareWake)) return change
    const { events: _events, header: _header, ...bare } = change
    return bare
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    await this.#pass()
    const answer = await work()
    await this.#pass()
    return answer
  }

  async #pass(): Promise<void> {
    const wait = this.#delay()
    if (wait > 0) await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, wait))
    if (this.#random.chance(this.faults.failure / 2)) throw new EngineAway('The engine is away')
  }

  /** Often none at all: races want both. */
  #delay(): number {
    return this.#random.chance(0.5) ? 0 : this.#random.below(this.faults.delayMs + 1)
  }
}
