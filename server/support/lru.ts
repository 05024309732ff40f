/** Most marked values that are spared before one is evicted, to bound the time when all are marked. */
const MAX_SPARED = 32

interface Entry<V> {
  value: V
  size: number
  /** The mark: whether the value was used since it was last considered for eviction. */
  isUsed: boolean
}

/**
 * An LRU cache bounded by total size, with the second-chance algorithm.
 *
 * A use sets a mark and moves nothing, because reordering a `Map` costs more than the rest of a lookup. Eviction spares a marked value: it
 * loses the mark and moves to the end.
 */
export class LruCache<K, V> {
  readonly #limit: number
  /** In the order of eviction. */
  readonly #entries = new Map<K, Entry<V>>()
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    entry.isUsed = true
    return entry.value
  }

  /** @param size in the unit of the limit; a value larger than the limit is not cached, and evicts nothing */
  set(key: K, value: V, size: number): void {
    if (size > this.#limit) {
      this.delete(key)
      return
    }
    const known = this.#entries.get(key)
    this.#size += size - (known?.size ?? 0)
    if (known) {
      known.value = value
      known.size = size
      known.isUsed = true
    } else this.#entries.set(key, { value, size, isUsed: false })
    if (this.#size > this.#limit) this.#evictFor(key)
  }

  /** All keys and values. Counts as no use. */
  *entries(): Iterable<[K, V]> {
    for (const [key, { value }] of this.#entries) yield [key, value]
  }

  delete(key: K): void {
    this.#size -= this.#entries.get(key)?.size ?? 0
    this.#entries.delete(key)
  }

  #evictFor(newest: K): void {
    let spares = MAX_SPARED
    for (const [key, entry] of this.#entries) {
      if (this.#size <= this.#limit) return
      if (key === newest) continue
      this.#entries.delete(key)
      if (entry.isUsed && spares-- > 0) {
        entry.isUsed = false
        this.#entries.set(key, entry)
      } else this.#size -= entry.size
    }
  }
}
