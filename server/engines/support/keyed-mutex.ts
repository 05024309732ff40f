/** Work on one thing after another, and on several things at once. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs work once all that came before it under the same key has ended, however it ended. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work, work)
    this.#last.set(key, turn)
    const leave = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
    turn.then(leave, leave)
    return turn
  }

  /** Resolves when all work that is there now has ended. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
