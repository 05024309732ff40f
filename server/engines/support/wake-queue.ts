interface Waiting<T> {
  listeners: ReadonlySet<T>
  listener: T
  wake: (listener: T) => void
}

type Schedule = (run: () => void) => unknown

/** Runs one turn of the event loop later, when pending responses have been sent. */
const nextTurn: Schedule = (run) => setImmediate(run)

/**
 * Wakes listeners in order, after the response to the commit: a producer never waits for wake-ups.
 *
 * An exception of a listener is written to the server log and does not affect the others.
 */
export class WakeQueue<T> {
  readonly #schedule: Schedule
  #waiting: Waiting<T>[] = []

  /** @param schedule runs a function after pending responses */
  constructor(schedule: Schedule = nextTurn) {
    this.#schedule = schedule
  }

  /** Wakes the present listeners, except those removed before their turn. */
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
