export const PAGE = 4096
export const SECTOR = 512

/** A page as some write left it. */
interface Version {
  /** The number of the change. */
  at: number
  bytes: Uint8Array
}

/** A page that the disk may have in an older state than the cache. */
export interface LoosePage {
  /** As the disk has it for certain. */
  durable: Uint8Array
  /** As it was after each write since; the last is what the cache has. */
  versions: Version[]
}

/** How a failed sync leaves the pages that were not written. */
export type AfterFailure =
  /** To be written by the next sync. */
  | 'dirty'
  /** Taken for written, as Linux does with ext4: only who writes them again gets them to the disk (fsync(2); LWN 752063). */
  | 'clean'

/**
 * A file as the page cache has it, and as a disk may have it after a power cut: for each page that was written since its last sync,
 * all that it held from then on, for the cache may have been written out at any moment.
 */
export class CachedFile {
  #cache: Uint8Array
  size: number
  /** By number. */
  readonly loose = new Map<number, LoosePage>()
  /** Those that the next sync writes. */
  readonly #dirty = new Set<number>()
  durableSize: number
  /** Sizes since the last sync. */
  sizes: { at: number; size: number }[] = []
  /** Truncations since the last sync. */
  truncations: { at: number; size: number }[] = []

  constructor(content: Uint8Array = new Uint8Array(0)) {
    this.#cache = new Uint8Array(Math.ceil(content.length / PAGE) * PAGE)
    this.#cache.set(content)
    this.size = content.length
    this.durableSize = content.length
  }

  /** As a process reads it, until the next change. */
  get content(): Uint8Array {
    return this.#cache.subarray(0, this.size)
  }

  /** @param at the number of the change */
  write(at: number, offset: number, data: Uint8Array): void {
    const end = offset + data.length
    this.#change(at, offset, end, () => this.#cache.set(data, offset))
    if (end > this.size) this.#resize(at, end)
  }

  truncate(at: number, size: number): void {
    if (size < this.size) this.#change(at, size, this.size, () => this.#cache.fill(0, size, this.size))
    this.truncations.push({ at, size })
    this.#resize(at, size)
  }

  /** A sync succeeded: what was changed before it began is on the disk. */
  synced(before: number): void {
    for (const number of this.#dirty) {
      const page = this.loose.get(number)
      const last = page?.versions.findLast(({ at }) => at < before)
      if (!page || !last) continue
      page.durable = last.bytes
      page.versions = page.versions.filter(({ at }) => at >= before)
      if (page.versions.length > 0) continue
      this.loose.delete(number)
      this.#dirty.delete(number)
    }
    this.durableSize = this.sizes.findLast(({ at }) => at < before)?.size ?? this.durableSize
    this.sizes = this.sizes.filter(({ at }) => at >= before)
    this.truncations = this.truncations.filter(({ at }) => at >= before)
  }

  failed(before: number, after: AfterFailure): void {
    if (after === 'dirty') return
    for (const number of this.#dirty) {
      const newest = this.loose.get(number)?.versions.at(-1)
      if (newest && newest.at < before) this.#dirty.delete(number)
    }
  }

  #change(at: number, offset: number, end: number, change: () => void): void {
    const numbers = Array.from(
      { length: Math.ceil(end / PAGE) - Math.floor(offset / PAGE) },
      (_, index) => Math.floor(offset / PAGE) + index,
    )
    this.#makeRoom(end)
    for (const number of numbers)
      if (!this.loose.has(number)) this.loose.set(number, { durable: this.#page(number), versions: [] })
    change()
    for (const number of numbers) {
      this.loose.get(number)?.versions.push({ at, bytes: this.#page(number) })
      this.#dirty.add(number)
    }
  }

  #page(number: number): Uint8Array {
    return this.#cache.slice(number * PAGE, (number + 1) * PAGE)
  }

  #resize(at: number, size: number): void {
    this.size = size
    this.sizes.push({ at, size })
  }

  /** Whole pages. */
  #makeRoom(size: number): void {
    if (size <= this.#cache.length) return
    const larger = new Uint8Array(Math.ceil((size * 1.5) / PAGE) * PAGE)
    larger.set(this.#cache)
    this.#cache = larger
  }
}
