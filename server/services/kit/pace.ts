import type { Clock } from '../../../shared/time/clock.ts'
import { formatSeconds } from './amounts.ts'
import { wait } from './wait.ts'

/** Pieces a second into which a limited stream is cut, so that its progress is smooth. */
const PIECES_PER_SECOND = 8
const LARGEST_PIECE = 64 * 1024

/** How much lost time may be caught up: milliseconds. More than timers are late, less than a pause by a person. */
const CATCH_UP_MS = 1_000

/** Longest `paceSeconds`: the upload stays in memory that long. */
export const MAX_PACE_SECONDS = 600

/** An option of every service. */
export interface PaceOption {
  /** Slows the work down to take about this many seconds, so that its progress can be watched. Default: not slowed down. */
  paceSeconds?: number | undefined
}

/** The option for a log line, beginning with a comma. */
export function paceNote({ paceSeconds }: PaceOption): string {
  return paceSeconds ? `, slowed down to take ${formatSeconds(paceSeconds)}` : ''
}

/** A rate limit, of bytes or of anything else a second, shared by concurrent work. */
export class Pace {
  readonly #perSecond: number
  readonly #clock: Clock
  /** When the amounts so far are due at this rate: milliseconds of the monotonic clock. */
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
   * Resolves when a further amount may pass; rejects with the signal's reason. Lost time is caught up, at most {@link CATCH_UP_MS}, so
   * that no burst follows a pause.
   */
  async take(amount: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic()
    this.#paidAt = Math.max(now - CATCH_UP_MS, this.#paidAt ?? now) + (amount / this.#perSecond) * 1_000
    await wait(Math.max(0, this.#paidAt - now), this.#clock, signal)
  }

  /** Cuts a chunk of bytes into pieces, and yields each when it may pass. */
  async *pass(chunk: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const size = Math.ceil(Math.min(LARGEST_PIECE, this.#perSecond / PIECES_PER_SECOND))
    for (let at = 0; at < chunk.byteLength; at += size) {
      const piece = chunk.subarray(at, at + size)
      await this.take(piece.byteLength, signal)
      yield piece
    }
  }
}
