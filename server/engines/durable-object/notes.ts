import type { Note } from '../../jobs/engine.ts'

const PREFIX = 'note '

interface Kept {
  text: string
  until: number
}

/** Notes whose keys differ in the last segment only, in an object of their own. */
export class ObjectNotes {
  readonly #storage: DurableObjectStorage

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  async put({ key, text }: Note, until: number): Promise<void> {
    this.#storage.kv.put(PREFIX + key, { text, until } satisfies Kept)
    await this.#storage.setAlarm(Math.min(until, (await this.#storage.getAlarm()) ?? until))
  }

  get(key: string): string | undefined {
    return this.#storage.kv.get<Kept>(PREFIX + key)?.text
  }

  /** Deletes the note before the first await, so only one of two concurrent calls gets it. */
  async take(key: string): Promise<string | undefined> {
    const text = this.get(key)
    if (text !== undefined) {
      this.#storage.kv.delete(PREFIX + key)
      await this.#leaveNothing()
    }
    return text
  }

  list({ prefix, after, limit }: { prefix: string; after?: string | undefined; limit: number }): Note[] {
    const from = after === undefined ? {} : { startAfter: PREFIX + after }
    const entries = this.#storage.kv.list<Kept>({ prefix: PREFIX + prefix, limit, ...from })
    return Array.from(entries, ([key, { text }]) => ({ key: key.slice(PREFIX.length), text }))
  }

  /** Deletes expired notes and sets the alarm for the next expiry. */
  async clear(now: number): Promise<void> {
    let next = Number.POSITIVE_INFINITY
    for (const [key, { until }] of Array.from(this.#storage.kv.list<Kept>({ prefix: PREFIX }))) {
      if (until <= now) this.#storage.kv.delete(key)
      else next = Math.min(next, until)
    }
    if (!(await this.#leaveNothing())) await this.#storage.setAlarm(next)
  }

  /** If no note is left, deletes all storage and the alarm: an empty object costs nothing. @returns whether it did */
  async #leaveNothing(): Promise<boolean> {
    const [first] = this.#storage.kv.list({ prefix: PREFIX, limit: 1 })
    if (first === undefined) await this.#storage.deleteAll()
    return first === undefined
  }
}
