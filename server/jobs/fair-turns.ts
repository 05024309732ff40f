import type { Clock } from '../../shared/time/clock.ts'

/** How long work may go on before all else gets its turn of the event loop: milliseconds. */
const TURN_MS = 4

/**
 * Does work that takes a while of the event loop: a little in each turn of it, and what is more later. Principals take turns, so one that
 * brings much waits for itself, and all others are in between.
 */
export class FairTurns {
  readonly #clock: Pick<Clock, 'monotonic' | 'setTimeout'>
  /** What waits, by principal: those who are next first, each in the order in which it came. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #isTurn = false
  #turnEnds = 0

  constructor(clock: Pick<Clock, 'monotonic' | 'setTimeout'>) {
    this.#clock = clock
  }

  /** Does the work of a principal: at once, when little was done in this turn of the loop. */
  run<T>(who: string, work: () => T): T | Promise<T> {
    if (this.#waiting.size === 0 && this.#hasTime) return work()
    return new Promise<T>((resolve, reject) => {
      const waiting = () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      }
      const queue = this.#waiting.get(who)
      if (queue) queue.push(waiting)
      else this.#waiting.set(who, [waiting])
    })
  }

  /** Whether this turn has time for more. The first who asks begins it. */
  get #hasTime(): boolean {
    if (this.#isTurn) return this.#clock.monotonic() < this.#turnEnds
    this.#isTurn = true
    this.#turnEnds = this.#clock.monotonic() + TURN_MS
    this.#clock.setTimeout(() => {
      this.#isTurn = false
      this.#goOn()
    }, 0)
    return true
  }

  #goOn(): void {
    for (const [who, queue] of this.#waiting) {
      if (!this.#hasTime) return
      // The last from now on.
      this.#waiting.delete(who)
      const work = queue.shift()
      if (queue.length > 0) this.#waiting.set(who, queue)
      work?.()
    }
  }
}
