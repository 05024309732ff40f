/** A mutex per key. */
export class KeyedMutex {
  /** The last work under each key. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs work when all earlier work under the same key has ended, whether it failed or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const run = (this.#last.get(key) ?? Promise.resolve()).then(work, work)
    this.#last.set(key, run)
    const forget = () => {
      if (this.#last.get(key) === run) this.#last.delete(key)
    }
    run.then(forget, forget)
    return run
  }

  /** Resolves when all work of this moment has ended. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
