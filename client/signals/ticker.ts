import type { Clock, Timer } from '../../shared/time/clock.ts'

/** Runs a function repeatedly between {@link start} and {@link stop}. */
export class Ticker {
  readonly #clock: Clock
  readonly #run: () => void
  readonly #pause: () => number
  #timer: Timer | undefined
  #isRunning = false

  /** @param pause how long to wait before the next run: milliseconds */
  constructor(clock: Clock, pause: () => number, run: () => void) {
    this.#clock = clock
    this.#pause = pause
    this.#run = run
  }

  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#wait()
  }

  stop(): void {
    this.#isRunning = false
    this.#clock.clearTimeout(this.#timer)
  }

  #wait(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#run()
      if (this.#isRunning) this.#wait()
    }, this.#pause())
  }
}
