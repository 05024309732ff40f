import type { Clock } from '../../../shared/time/clock.ts'

/** Lines that may come at once, and lines a second from then on. The server keeps the last 1,000. */
const BURST = 200
const PER_SECOND = 20
/** Last lines that are kept, for a command that fails. */
const LAST = 20

/** Lets so many lines of a command through, and counts the others. Keeps the last ones. */
export class LogLimit {
  readonly #clock: Clock
  #allowed = BURST
  #at: number
  /** The last lines, and of those the ones that were left out. */
  readonly #last: { line: string; isOut: boolean }[] = []
  #leftOut = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.monotonic()
  }

  /** Takes a line. @returns what goes into the log: it, after a word about those that did not, or nothing */
  take(line: string): string[] {
    const now = this.#clock.monotonic()
    this.#allowed = Math.min(BURST, this.#allowed + ((now - this.#at) / 1_000) * PER_SECOND)
    this.#at = now
    const isOut = this.#allowed < 1
    this.#last.push({ line, isOut })
    if (this.#last.length > LAST) this.#last.shift()
    if (isOut) {
      this.#leftOut += 1
      return []
    }
    this.#allowed -= 1
    return [...this.#tellLeftOut(0), line]
  }

  /** Counts lines that were left out before. */
  skip(count: number): void {
    this.#leftOut += count
  }

  /** The last lines. */
  get last(): string[] {
    return this.#last.map(({ line }) => line)
  }

  /** The command has ended. @returns what goes into the log: the last lines, as far as they were left out */
  end(): string[] {
    const out = this.#last.filter(({ isOut }) => isOut).map(({ line }) => line)
    return [...this.#tellLeftOut(out.length), ...out]
  }

  #tellLeftOut(shown: number): string[] {
    const count = this.#leftOut - shown
    this.#leftOut = 0
    return count > 0 ? [`… ${count} ${count === 1 ? 'line' : 'lines'} left out`] : []
  }
}
