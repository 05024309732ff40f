/** A mutex per key. */
export class KeyedMutex {
  /** The last task of each key. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs a task after all earlier tasks of the same key have settled. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const run = (this.#last.get(key) ?? Promise.resolve()).then(work, work)
    this.#last.set(key, run)
    const forget = () => {
      if (this.#last.get(key) === run) this.#last.delete(key)
    }
    run.then(forget, forget)
    return run
  }

  /** Resolves when all tasks queued so far have settled. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
