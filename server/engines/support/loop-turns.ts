/** Lets pieces of work through one at a time, in the order in which they came, each in a turn of the event loop of its own. */
export class LoopTurns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  /** Resolves in a turn that no other piece has: this one, if it is free. */
  async take(): Promise<void> {
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#isTaken = true
    setImmediate(this.#next)
  }

  readonly #next = (): void => {
    const next = this.#waiting.shift()
    this.#isTaken = next !== undefined
    if (!next) return
    setImmediate(this.#next)
    next()
  }
}
