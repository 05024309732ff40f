/** The values used last, as many as fit in a given size in all. */
export class Recent<K, V> {
  readonly #limit: number
  /** In the order of use, the oldest first. */
  readonly #entries = new Map<K, { value: V; size: number }>()
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts as a use. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** @param size in the unit of the limit; a value larger than the limit is not kept */
  set(key: K, value: V, size: number): void {
    this.delete(key)
    this.#entries.set(key, { value, size })
    this.#size += size
    if (this.#size <= this.#limit) return
    for (const oldest of this.#entries.keys()) {
      this.delete(oldest)
      if (this.#size <= this.#limit) break
    }
  }

  delete(key: K): void {
    this.#size -= this.#entries.get(key)?.size ?? 0
    this.#entries.delete(key)
  }
}
