/** Runs at most one task in each turn of the event loop, in FIFO order. */
export class LoopTurns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  /** Resolves in a turn without another task: in this one, if it is free. */
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
