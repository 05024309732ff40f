import type { Clock } from '../../shared/time/clock.ts'

/** How long work may hold the event loop in one turn: milliseconds. */
const TURN_MS = 4

/** Queued work of one principal, each part in order of arrival. */
interface Queue {
  /** Work that completes what ran before: it goes first, because data that was read for it waits in memory. */
  readonly rest: (() => void)[]
  readonly begun: (() => void)[]
}

/**
 * Spreads work over turns of the event loop, with principals in round-robin order: a principal with much work delays itself, not others.
 */
export class FairTurns {
  readonly #clock: Pick<Clock, 'monotonic' | 'setTimeout'>
  /** Queued work by principal, in round-robin order. */
  readonly #waiting = new Map<string, Queue>()
  #isTurn = false
  #turnEnds = 0

  constructor(clock: Pick<Clock, 'monotonic' | 'setTimeout'>) {
    this.#clock = clock
  }

  /** Runs the work of a principal; synchronously if nothing is queued and this turn has time left. */
  run<T>(who: string, work: () => T): T | Promise<T> {
    return this.#run(who, 'begun', work)
  }

  /** Like {@link run}, for work that completes earlier work of the principal: before what it has queued otherwise. */
  runRest<T>(who: string, work: () => T): T | Promise<T> {
    return this.#run(who, 'rest', work)
  }

  #run<T>(who: string, part: keyof Queue, work: () => T): T | Promise<T> {
    if (this.#waiting.size === 0 && this.#hasTime) return work()
    return new Promise<T>((resolve, reject) => {
      const queue = this.#waiting.get(who) ?? { rest: [], begun: [] }
      this.#waiting.set(who, queue)
      queue[part].push(() => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** Whether this turn has time left. The first call starts the turn. */
  get #hasTime(): boolean {
    if (this.#isTurn) return this.#clock.monotonic() < this.#turnEnds
    this.#isTurn = true
    this.#turnEnds = this.#clock.monotonic() + TURN_MS
    this.#clock.setTimeout(() => {
      this.#isTurn = false
      this.#runQueued()
    }, 0)
    return true
  }

  #runQueued(): void {
    for (const [who, queue] of this.#waiting) {
      if (!this.#hasTime) return
      // Moves the principal to the end of the round.
      this.#waiting.delete(who)
      const work = queue.rest.shift() ?? queue.begun.shift()
      if (queue.rest.length + queue.begun.length > 0) this.#waiting.set(who, queue)
      work?.()
    }
  }
}
