import type { Change, Unwatch, WatchTarget } from '../../jobs/engine.ts'
import { listOf } from '../../jobs/tenant-documents.ts'
import { WakeQueue } from './wake-queue.ts'

type Wake = (change: Change) => void

/** Subscriptions to one job, an owner's jobs or all jobs, for engines whose watchers are all in this process. */
export class Wakeups {
  readonly #jobs = new Map<string, Set<Wake>>()
  readonly #owners = new Map<string, Set<Wake>>()
  readonly #everyone = new Set<Wake>()
  readonly #queue: WakeQueue<Wake>

  /** @param schedule runs a function after pending responses; one turn of the event loop later by default */
  constructor(schedule?: (run: () => void) => unknown) {
    this.#queue = new WakeQueue(schedule)
  }

  add(target: WatchTarget, wake: Wake): Unwatch {
    if ('all' in target) {
      this.#everyone.add(wake)
      return () => this.#everyone.delete(wake)
    }
    const [map, key] = 'job' in target ? [this.#jobs, target.job] : [this.#owners, target.owner]
    const wakes = map.get(key) ?? new Set()
    map.set(key, wakes.add(wake))
    return () => {
      wakes.delete(wake)
      if (wakes.size === 0 && map.get(key) === wakes) map.delete(key)
    }
  }

  /** Wakes subscribers after the response to the commit. */
  notify(owner: string, change: Change): void {
    const list = this.#owners.size > 0 ? listOf(change.id) : undefined
    const inList = list === undefined ? undefined : this.#owners.get(list)
    for (const wakes of [this.#jobs.get(change.id), this.#owners.get(owner), inList, this.#everyone])
      if (wakes) this.#queue.add(wakes, (wake) => wake(change))
  }

  /** Number of subscriptions. */
  get size(): number {
    let size = this.#everyone.size
    for (const wakes of this.#jobs.values()) size += wakes.size
    for (const wakes of this.#owners.values()) size += wakes.size
    return size
  }
}
