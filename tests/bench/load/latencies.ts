/** Milliseconds of a bucket, and how many there are: up to 10 s. */
const WIDTH = 0.05
const BUCKETS = 200_000

/** How long things took, counted in buckets: any number of them, in the same memory. */
export class Latencies {
  readonly #buckets = new Uint32Array(BUCKETS)
  #count = 0

  add(milliseconds: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(milliseconds / WIDTH)))
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
  }

  /** The time within which a share of them was done: milliseconds; NaN when there are none. */
  quantile(share: number): number {
    if (this.#count === 0) return Number.NaN
    const rank = Math.ceil(this.#count * share)
    let passed = 0
    let bucket = 0
    while (passed < rank && bucket < BUCKETS) passed += this.#buckets[bucket++] ?? 0
    return bucket * WIDTH
  }

  clear(): void {
    this.#buckets.fill(0)
    this.#count = 0
  }
}
