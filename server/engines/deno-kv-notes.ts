import type { Clock } from '../../shared/clock.ts'
import type { Notes } from '../engine.ts'
import type { KvAccess } from './deno-kv-access.ts'
import { keys } from './deno-kv-keys.ts'

/** Notes in Deno KV: whoever takes one deletes it, in an atomic that another who does the same fails. */
export class KvNotes implements Notes {
  readonly #kv: KvAccess
  readonly #clock: Clock

  constructor(kv: KvAccess, clock: Clock) {
    this.#kv = kv
    this.#clock = clock
  }

  async put(key: string, text: string, until: number): Promise<void> {
    const expireIn = Math.max(1, until - this.#clock.now())
    await this.#kv.commit(this.#kv.atomic().set(keys.note(key), text, { expireIn }))
  }

  async take(key: string): Promise<string | undefined> {
    const entry = await this.#kv.get<string>(keys.note(key))
    if (entry.value === null) return undefined
    const deleted = await this.#kv.commit(this.#kv.atomic().check(entry).delete(keys.note(key)))
    return deleted && entry.value
  }
}
