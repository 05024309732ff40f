/** Values that get a second chance before one is dropped: of a cache in which all are used, one is dropped all the same, in a moment. */
const CHANCES = 32

interface Entry<V> {
  value: V
  size: number
  /** Since it was looked at last for being dropped. */
  isUsed: boolean
}

/**
 * The values used last, as many as fit in a given size in all: an LRU cache, by second chance.
 *
 * A use sets a mark and moves nothing, since a `Map` that is reordered with each use costs more than the rest of a lookup. What is to be
 * dropped and has the mark loses it, and goes to the end.
 */
export class LruCache<K, V> {
  readonly #limit: number
  /** Those that are to be dropped next first. */
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

  /** @param size in the unit of the limit; a value larger than the limit is not kept, and leaves the others alone */
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
    if (this.#size > this.#limit) this.#dropFor(key)
  }

  delete(key: K): void {
    this.#size -= this.#entries.get(key)?.size ?? 0
    this.#entries.delete(key)
  }

  #dropFor(newest: K): void {
    let chances = CHANCES
    for (const [key, entry] of this.#entries) {
      if (this.#size <= this.#limit) return
      if (key === newest) continue
      this.#entries.delete(key)
      if (entry.isUsed && chances-- > 0) {
        entry.isUsed = false
        this.#entries.set(key, entry)
      } else this.#size -= entry.size
    }
  }
}
