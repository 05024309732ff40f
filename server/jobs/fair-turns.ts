import type { Clock } from '../../shared/time/clock.ts'

/** How long work may hold the event loop in one turn: milliseconds. */
const TURN_MS = 4

/** Queued work of one principal, each part in order of arrival. */
interface Queue {
  /** Work that completes what ran before: it goes first, because data that was read for it waits in memory. */
  readonly rest: (() => void)[]
  readonly begun: (() => void)[]
}

/** Bytes that the heavy requests of one principal may have in progress at once; a larger one is alone. */
const HEAVY_BYTES = 1_048_576

/** The heavy requests of a principal. */
interface Heavy {
  /** Bytes in progress. */
  bytes: number
  /** In order of arrival. */
  readonly waiting: { bytes: number; start: () => void }[]
}

/**
 * Spreads work over turns of the event loop, with principals in round-robin order: a principal with much work delays itself, not others.
 */
export class FairTurns {
  readonly #clock: Pick<Clock, 'monotonic' | 'setTimeout'>
  /** Queued work by principal, in round-robin order. */
  readonly #waiting = new Map<string, Queue>()
  readonly #heavy = new Map<string, Heavy>()
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

  /** Runs the work of a principal in steps, each in a turn. @returns what the generator returns */
  async runSteps<T>(who: string, steps: Iterator<unknown, T>): Promise<T> {
    let step = await this.run(who, () => steps.next())
    while (!step.done) step = await this.runRest(who, () => steps.next())
    return step.value
  }

  /**
   * Runs a heavy request of a principal, when it has few enough in progress: what they do outside of their turns, such as a commit, holds up
   * others too.
   *
   * @param bytes how heavy it is: bytes that it reads or writes
   */
  async runHeavy<T>(who: string, bytes: number, request: () => Promise<T>): Promise<T> {
    const heavy = this.#heavy.get(who) ?? { bytes: 0, waiting: [] }
    this.#heavy.set(who, heavy)
    await new Promise<void>((start) => {
      heavy.waiting.push({ bytes, start })
      startHeavy(heavy)
    })
    try {
      return await request()
    } finally {
      heavy.bytes -= bytes
      startHeavy(heavy)
      if (heavy.bytes === 0) this.#heavy.delete(who)
    }
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

function startHeavy(heavy: Heavy): void {
  for (;;) {
    const [next] = heavy.waiting
    if (!next || (heavy.bytes > 0 && heavy.bytes + next.bytes > HEAVY_BYTES)) return
    heavy.waiting.shift()
    heavy.bytes += next.bytes
    next.start()
  }
}
