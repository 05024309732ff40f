import type { Note, Notes } from '../jobs/engine.ts'
import type { ExpiringNote } from '../jobs/transfer.ts'

/** Most notes stored of a kind, which is the first word of their keys; the oldest of the kind are dropped first. */
const MAX_KEPT = 10_000

type Kind = Map<string, { text: string; until: number }>

/** Notes in this process's memory. */
export class MemoryNotes implements Notes {
  readonly #kinds = new Map<string, Kind>()

  async put({ key, text }: Note, until: number, now: number): Promise<void> {
    const notes = this.#kindOf(key)
    // A replaced note also becomes the newest in the map.
    notes.delete(key)
    if (notes.size >= MAX_KEPT) makeRoom(notes, now)
    notes.set(key, { text, until })
  }

  async get(key: string): Promise<string | undefined> {
    return this.#kindOf(key).get(key)?.text
  }

  async take(key: string): Promise<string | undefined> {
    const notes = this.#kindOf(key)
    const text = notes.get(key)?.text
    notes.delete(key)
    return text
  }

  async list({ prefix, after = '', limit }: Parameters<Notes['list']>[0]): Promise<Note[]> {
    const notes = this.#kindOf(prefix)
    const keys = [...notes.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    return keys.slice(0, limit).map((key) => ({ key, text: notes.get(key)?.text ?? '' }))
  }

  /** Notes of all kinds, in the order of their keys. */
  all({ after, limit }: { after: string; limit: number }): ExpiringNote[] {
    const notes = [...this.#kinds.values()].flatMap((kind) => [...kind])
    const found = notes.map(([key, note]) => ({ key, ...note })).filter(({ key }) => key > after)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, limit)
  }

  #kindOf(key: string): Kind {
    const name = key.slice(0, key.indexOf('/'))
    const known = this.#kinds.get(name)
    if (known) return known
    const kind: Kind = new Map()
    this.#kinds.set(name, kind)
    return kind
  }
}

function makeRoom(notes: Kind, now: number): void {
  for (const [key, { until }] of notes) if (until <= now) notes.delete(key)
  for (const key of notes.keys()) {
    if (notes.size < MAX_KEPT) return
    notes.delete(key)
  }
}
