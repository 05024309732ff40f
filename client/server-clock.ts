import type { Clock } from '../shared/clock.ts'

/**
 * The server's clock, as far as its messages show it. The client's own, until they do.
 */
export class ServerClock {
  readonly #clock: Clock
  #offset = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since the epoch, by the server's clock. */
  now(): number {
    return this.#clock.now() + this.#offset
  }

  /** Takes the server's word for what time it is now. */
  set(at: string): void {
    const offset = Date.parse(at) - this.#clock.now()
    if (Number.isFinite(offset)) this.#offset = offset
  }

  /** Takes note of something that happened at the server: it can't be earlier there than that. */
  observe(at: string): void {
    const offset = Date.parse(at) - this.#clock.now()
    if (offset > this.#offset) this.#offset = offset
  }
}
