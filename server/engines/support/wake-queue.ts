interface Waiting<T> {
  listeners: ReadonlySet<T>
  listener: T
  wake: (listener: T) => void
}

type Schedule = (run: () => void) => unknown

/** A turn of the event loop later: answers that are ready by then have left. */
const nextTurn: Schedule = (run) => setImmediate(run)

/**
 * Wakes those who listen, in order, after the answers: who has committed something waits for nobody's wake-up.
 *
 * One that throws is told to the operator, and nobody else notices.
 */
export class WakeQueue<T> {
  readonly #schedule: Schedule
  #waiting: Waiting<T>[] = []

  /** @param schedule runs what wakes, after the answers */
  constructor(schedule: Schedule = nextTurn) {
    this.#schedule = schedule
  }

  /** Wakes those who listen now, and still do by then. */
  add(listeners: ReadonlySet<T>, wake: (listener: T) => void): void {
    for (const listener of listeners) {
      if (this.#waiting.length === 0) this.#schedule(() => this.#flush())
      this.#waiting.push({ listeners, listener, wake })
    }
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { listeners, listener, wake } of waiting) {
      if (!listeners.has(listener)) continue
      try {
        wake(listener)
      } catch (error) {
        console.error('A watcher failed at a wake-up:', error)
      }
    }
  }
}
