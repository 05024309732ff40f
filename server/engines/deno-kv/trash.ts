import type { KvAccess } from './access.ts'
import { keys } from './keys.ts'

/** Keys deleted per commit. */
const STEP = 250

/** Deletes the keys of removed jobs. Any process may do so at any time, and continues where a killed one left off. */
export class Trash {
  readonly #kv: KvAccess
  #clearing: Promise<void> | undefined
  #isClosed = false

  constructor(kv: KvAccess) {
    this.#kv = kv
  }

  /** Resolves when everything is deleted or an attempt failed; the next call tries again. Never rejects. */
  clear(): Promise<void> {
    this.#clearing ??= this.#clearAll()
      .catch(() => {})
      .finally(() => {
        this.#clearing = undefined
      })
    return this.#clearing
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#clearing
  }

  async #clearAll(): Promise<void> {
    for (;;) {
      const lives = await this.#kv.list({ prefix: keys.trash }, { limit: 10 })
      if (lives.length === 0) return
      for (const { key } of lives) {
        await this.#clearLife(String(key.at(-1)))
        if (this.#isClosed) return
        await this.#kv.commit(this.#kv.atomic().delete(key))
      }
    }
  }

  async #clearLife(life: string): Promise<void> {
    while (!this.#isClosed) {
      const entries = await this.#kv.list({ prefix: keys.life(life) }, { limit: STEP })
      if (entries.length === 0) return
      const operation = this.#kv.atomic()
      for (const { key } of entries) operation.delete(key)
      await this.#kv.commit(operation)
    }
  }
}
