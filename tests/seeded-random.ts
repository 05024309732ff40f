import type { Random } from '../shared/time/clock.ts'

/** Randomness that a seed repeats (mulberry32). For tests alone: it can be guessed. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  /** A whole number in [0, `limit`). */
  below(limit: number): number {
    return Math.floor(this.number() * limit)
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.number() < probability
  }
}
