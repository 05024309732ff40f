import type { Clock, Timer } from '../../shared/time/clock.ts'

/**
 * Schedules frames: the first after a quiet period leaves at once, later ones at most once per `frameMs` milliseconds. So rare changes are
 * not delayed, and frequent ones cost the same at any rate.
 */
export class FrameTimer {
  readonly #clock: Clock
  readonly #frameMs: number
  readonly #send: () => void
  #last = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined

  constructor(clock: Clock, frameMs: number, send: () => void) {
    this.#clock = clock
    this.#frameMs = frameMs
    this.#send = send
  }

  /** Requests a frame. An urgent one leaves at once. */
  request(urgent: boolean): void {
    // At most `frameMs`: a clock that was set back must not delay frames.
    const wait = urgent ? 0 : Math.min(this.#frameMs, this.#last + this.#frameMs - this.#clock.now())
    // With `frameMs` 0, a frame gathers the changes of one turn of the event loop.
    if (urgent || (wait <= 0 && this.#frameMs > 0)) this.#fire()
    else this.#timer ??= this.#clock.setTimeout(() => this.#fire(), Math.max(0, wait))
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #fire(): void {
    this.stop()
    this.#last = this.#clock.now()
    this.#send()
  }
}
