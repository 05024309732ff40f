import type { Clock, Timer } from '../../shared/time/clock.ts'

/**
 * When frames leave: the first after quiet at once, those that follow at most one every `frameMs`. So what is rare is not delayed,
 * and what is frequent costs the same at any rate.
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

  /** Asks for a frame; `urgent` ones leave at once. */
  request(urgent: boolean): void {
    // Never longer than a frame: a clock that was set back must not hold anything up.
    const wait = urgent ? 0 : Math.min(this.#frameMs, this.#last + this.#frameMs - this.#clock.now())
    // A frame time of 0 gathers what arrives in one turn.
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
