import type { Clock } from '../../../shared/time/clock.ts'
import { wait } from '../kit/wait.ts'

/** Pieces a second into which a limited stream is cut, so that it flows instead of jumping. */
const PIECES_PER_SECOND = 8
const LARGEST_PIECE = 64 * 1024

/** Bytes a second that several streams share. */
export class Bandwidth {
  readonly #bytesPerSecond: number
  readonly #clock: Clock
  /** When what was let through so far is paid for: milliseconds since the epoch. */
  #paidAt = 0

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
  }

  /** Cuts a chunk into pieces, and hands out each as its turn comes. Time that nobody used is not saved up. */
  async *pass(chunk: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const size = Math.ceil(Math.min(LARGEST_PIECE, this.#bytesPerSecond / PIECES_PER_SECOND))
    for (let at = 0; at < chunk.byteLength; at += size) {
      const piece = chunk.subarray(at, at + size)
      const now = this.#clock.now()
      this.#paidAt = Math.max(now, this.#paidAt) + (piece.byteLength / this.#bytesPerSecond) * 1_000
      await wait(this.#paidAt - now, this.#clock, signal)
      yield piece
    }
  }
}
