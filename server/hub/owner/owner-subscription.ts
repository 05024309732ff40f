import type { Change, Documents, Unwatch } from '../../jobs/engine.ts'
import type { WatchJob } from '../job/job-channel.ts'

interface Listener {
  wake(change: Change): void
  onLost(): void
}

/** One subscription to an owner's jobs, shared by channels of single jobs: for runtimes that limit the subscriptions of a stream. */
export class OwnerSubscription {
  readonly #listeners = new Map<string, Listener>()
  readonly #open: Promise<Unwatch>

  constructor(documents: Documents, owner: string) {
    this.#open = documents.watch(
      { owner },
      (change) => this.#listeners.get(change.id)?.wake(change),
      () => {
        for (const listener of [...this.#listeners.values()]) listener.onLost()
      },
    )
  }

  readonly watch: WatchJob = async (id, wake, onLost) => {
    this.#listeners.set(id, { wake, onLost })
    const unwatch = await this.#open
    return () => {
      this.#listeners.delete(id)
      if (this.#listeners.size === 0) unwatch()
    }
  }
}
