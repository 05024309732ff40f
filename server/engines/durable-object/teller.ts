/** How often progress is told, at most: milliseconds. */
const TELL_MS = 1_000

/** When others hear of a job: of what matters at once, of the rest at most once a second, and never of two states at once. */
export class Teller {
  readonly #tell: () => Promise<void>
  #running = Promise.resolve()
  #next: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #last = Number.NEGATIVE_INFINITY

  /** @param tell tells the state as it is when it is called; never throws */
  constructor(tell: () => Promise<void>) {
    this.#tell = tell
  }

  /** Resolves once the state as it is now has been told, or could not be. */
  now(): Promise<void> {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      this.#last = Date.now()
      this.#running = this.#tell()
      return this.#running
    })
    return this.#next
  }

  soon(): void {
    this.#timer ??= setTimeout(() => void this.now(), Math.max(0, this.#last + TELL_MS - Date.now()))
  }
}
