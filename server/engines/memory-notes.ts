import type { Note, Notes } from '../jobs/engine.ts'

/** Most notes stored; the oldest are dropped first. */
const MOST_KEPT = 10_000

/** Notes in this process's memory. */
export class MemoryNotes implements Notes {
  readonly #notes = new Map<string, { text: string; until: number }>()

  async put({ key, text }: Note, until: number, now: number): Promise<void> {
    // A replaced note also becomes the newest in the map.
    this.#notes.delete(key)
    if (this.#notes.size >= MOST_KEPT) this.#makeRoom(now)
    this.#notes.set(key, { text, until })
  }

  async get(key: string): Promise<string | undefined> {
    return this.#notes.get(key)?.text
  }

  async take(key: string): Promise<string | undefined> {
    const text = this.#notes.get(key)?.text
    this.#notes.delete(key)
    return text
  }

  async list({ prefix, after = '', limit }: Parameters<Notes['list']>[0]): Promise<Note[]> {
    const keys = [...this.#notes.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    return keys.slice(0, limit).map((key) => ({ key, text: this.#notes.get(key)?.text ?? '' }))
  }

  #makeRoom(now: number): void {
    for (const [key, { until }] of this.#notes) if (until <= now) this.#notes.delete(key)
    for (const key of this.#notes.keys()) {
      if (this.#notes.size < MOST_KEPT) return
      this.#notes.delete(key)
    }
  }
}
