import type { Note, Notes } from '../../jobs/engine.ts'
import type { Script } from './scripts/script.ts'
import { scripts } from './scripts/scripts.ts'
import type { Place, RedisStore } from './store.ts'

/** Notes in the first partition: they are few, and listed by the start of their keys. */
export class RedisNotes implements Notes {
  readonly #store: RedisStore
  readonly #place: Place

  constructor(store: RedisStore) {
    this.#store = store
    this.#place = store.places[0] as Place
  }

  async put({ key, text }: Note, until: number, now: number): Promise<void> {
    const { notes, noteOrder, noteExpiry } = this.#place.keys
    const args = [key, text, `${until}`, `${now}`]
    await this.#commit(scripts.putNote, [notes, noteOrder, noteExpiry], args)
  }

  async get(key: string): Promise<string | undefined> {
    return (
      (await this.#store.nodes.call<string | null>(this.#place, ['HGET', this.#place.keys.notes, key])) ?? undefined
    )
  }

  async take(key: string): Promise<string | undefined> {
    const { notes, noteOrder, noteExpiry } = this.#place.keys
    const [, text] = await this.#commit<[number, string?]>(scripts.takeNote, [notes, noteOrder, noteExpiry], [key])
    return text
  }

  #commit<T>(script: Script, keys: readonly string[], args: readonly string[]): Promise<T> {
    const { nodes } = this.#store
    return nodes.throughMoves(() => nodes.commit<T>(this.#place, script, keys, args))
  }

  async list({ prefix, after, limit }: Parameters<Notes['list']>[0]): Promise<Note[]> {
    const { notes, noteOrder } = this.#place.keys
    // Keys have words of ASCII letters, digits and hyphens, which are before `~`.
    const range = [after === undefined ? `[${prefix}` : `(${after}`, `(${prefix}~`, `${limit}`]
    const found = await this.#store.nodes.read<string[]>(this.#place, scripts.listNotes, [notes, noteOrder], range)
    return Array.from({ length: found.length / 2 }, (_, index) => ({
      key: found[2 * index] ?? '',
      text: found[2 * index + 1] ?? '',
    }))
  }
}
