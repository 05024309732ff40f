import type { Note, Notes } from '../../jobs/engine.ts'
import type { KvAccess } from './access.ts'
import { keys } from './keys.ts'

/** How long an expired note is kept: milliseconds. Deno KV expires keys by its own clock, which may be wrong. */
const KEPT_MS = 86_400_000

/** Key parts before the note's path. */
const NOTE_PREFIX_LENGTH = keys.note('x').length - 1

/** Notes in Deno KV. `take` deletes the note with a check, so only one of several concurrent calls gets it. */
export class KvNotes implements Notes {
  readonly #kv: KvAccess

  constructor(kv: KvAccess) {
    this.#kv = kv
  }

  async put({ key, text }: Note, until: number, now: number): Promise<void> {
    const expireIn = Math.max(0, until - now) + KEPT_MS
    await this.#kv.commit(this.#kv.atomic().set(keys.note(key), text, { expireIn }))
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#kv.get<string>(keys.note(key))).value ?? undefined
  }

  async take(key: string): Promise<string | undefined> {
    const entry = await this.#kv.get<string>(keys.note(key))
    if (entry.value === null) return undefined
    const deleted = await this.#kv.commit(this.#kv.atomic().check(entry).delete(keys.note(key)))
    return deleted && entry.value
  }

  async list({ prefix, after, limit }: Parameters<Notes['list']>[0]): Promise<Note[]> {
    const selector = { prefix: keys.note(prefix.slice(0, -1)) }
    // Start right after the key: a longer key sorts directly after its prefix.
    const from = after === undefined ? selector : { ...selector, start: [...keys.note(after), 0] }
    const entries = await this.#kv.list<string>(from, { limit })
    return entries.map(({ key, value }) => ({ key: key.slice(NOTE_PREFIX_LENGTH).join('/'), text: value }))
  }
}
