import type { Change, Unwatch } from '../engine.ts'

type Wake = (change: Change) => void

/** Who is to be woken when a job or an owner's jobs change, for engines whose watchers are all in this process. */
export class Wakeups {
  readonly #jobs = new Map<string, Set<Wake>>()
  readonly #owners = new Map<string, Set<Wake>>()

  add(target: { job: string } | { owner: string }, wake: Wake): Unwatch {
    const [map, key] = 'job' in target ? [this.#jobs, target.job] : [this.#owners, target.owner]
    const wakes = map.get(key) ?? new Set()
    map.set(key, wakes.add(wake))
    return () => {
      wakes.delete(wake)
      if (wakes.size === 0 && map.get(key) === wakes) map.delete(key)
    }
  }

  /** Whether anyone would be woken. */
  hears(job: string, owner: string): boolean {
    return this.#jobs.has(job) || this.#owners.has(owner)
  }

  notify(owner: string, change: Change): void {
    for (const wake of this.#jobs.get(change.id) ?? []) wake(change)
    for (const wake of this.#owners.get(owner) ?? []) wake(change)
  }

  /** Watches that are open. */
  get size(): number {
    let size = 0
    for (const wakes of this.#jobs.values()) size += wakes.size
    for (const wakes of this.#owners.values()) size += wakes.size
    return size
  }
}
