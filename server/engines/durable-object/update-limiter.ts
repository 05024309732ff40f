/** Shortest interval between two progress updates: milliseconds. */
const INTERVAL_MS = 1_000

/** Rate limit of a job's updates to its index objects: important ones at once, others at most once a second, one at a time. */
export class UpdateLimiter {
  readonly #update: () => Promise<void>
  #running = Promise.resolve()
  #next: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #last = Number.NEGATIVE_INFINITY

  /** @param update sends the present state; never rejects */
  constructor(update: () => Promise<void>) {
    this.#update = update
  }

  /** Sends the present state; resolves when that succeeded or failed. */
  now(): Promise<void> {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      this.#last = Date.now()
      this.#running = this.#update()
      return this.#running
    })
    return this.#next
  }

  soon(): void {
    this.#timer ??= setTimeout(() => void this.now(), Math.max(0, this.#last + INTERVAL_MS - Date.now()))
  }
}
