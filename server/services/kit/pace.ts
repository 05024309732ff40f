import type { Clock } from '../../../shared/time/clock.ts'
import { formatSeconds } from './amounts.ts'
import { wait } from './wait.ts'

/** Pieces a second into which a limited stream is cut, so that it flows instead of jumping. */
const PIECES_PER_SECOND = 8
const LARGEST_PIECE = 64 * 1024

/** How far behind its schedule work may catch up: milliseconds. More than timers are late, less than a person pauses for. */
const CATCH_UP_MS = 1_000

/** The longest that work may be slowed down to: its upload stays in memory for as long. */
export const MAX_PACE_SECONDS = 600

/** An option of every service. */
export interface PaceOption {
  /** The work is slowed down to take about so many seconds, so that there is something to watch. As fast as it can by default. */
  paceSeconds?: number | undefined
}

/** What a log says of the option, after a comma. */
export function paceNote({ paceSeconds }: PaceOption): string {
  return paceSeconds ? `, slowed down to take ${formatSeconds(paceSeconds)}` : ''
}

/** An amount a second, of bytes or of anything else, that whoever works side by side shares. */
export class Pace {
  readonly #perSecond: number
  readonly #clock: Clock
  /** When what was let through so far is paid for: milliseconds of the monotonic clock. */
  #paidAt: number | undefined

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#clock = clock
  }

  /** The pace at which an amount takes so many seconds, or `undefined` for no limit. */
  static over(seconds: number | undefined, amount: number, clock: Clock): Pace | undefined {
    return seconds && amount > 0 ? new Pace(amount / seconds, clock) : undefined
  }

  /**
   * Resolves when it is the turn of a further amount; rejects with the signal's reason. A late timer and short work are made up for; of a
   * pause only {@link CATCH_UP_MS}, so that no burst follows it.
   */
  async take(amount: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic()
    this.#paidAt = Math.max(now - CATCH_UP_MS, this.#paidAt ?? now) + (amount / this.#perSecond) * 1_000
    await wait(this.#paidAt - now, this.#clock, signal)
  }

  /** Cuts a chunk of bytes into pieces, and hands out each as its turn comes. */
  async *pass(chunk: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const size = Math.ceil(Math.min(LARGEST_PIECE, this.#perSecond / PIECES_PER_SECOND))
    for (let at = 0; at < chunk.byteLength; at += size) {
      const piece = chunk.subarray(at, at + size)
      await this.take(piece.byteLength, signal)
      yield piece
    }
  }
}
