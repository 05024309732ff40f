import type { Clock, Random } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'

/** Keys of one `getMany`. */
const KEYS_AT_ONCE = 10
/** Entries that a list reads at once, at most. */
const MOST_LISTED = 500
/** How often something is tried before the store counts as away, and how long is waited at most in between: milliseconds. */
const TRIES = 40
const WAIT_MS = 50

/** The calls of Deno KV that the engine makes, made until they succeed. Whatever fails for good is a `ProblemError` 503. */
export class KvAccess {
  readonly #kv: Deno.Kv
  readonly #clock: Clock
  readonly #random: Random

  constructor(kv: Deno.Kv, clock: Clock, random: Random) {
    this.#kv = kv
    this.#clock = clock
    this.#random = random
  }

  get<T>(key: Deno.KvKey): Promise<Deno.KvEntryMaybe<T>> {
    return this.#try(() => this.#kv.get<T>(key))
  }

  /** Any number of keys, ten of which are read as they are at one moment. */
  async getMany<T>(wanted: readonly Deno.KvKey[]): Promise<Deno.KvEntryMaybe<T>[]> {
    const reads: Promise<Deno.KvEntryMaybe<T>[]>[] = []
    for (let at = 0; at < wanted.length; at += KEYS_AT_ONCE) {
      const some = wanted.slice(at, at + KEYS_AT_ONCE)
      reads.push(this.#try(() => this.#kv.getMany<T[]>(some)))
    }
    return (await Promise.all(reads)).flat()
  }

  list<T>(selector: Deno.KvListSelector, options: { limit: number; reverse?: boolean }): Promise<Deno.KvEntry<T>[]> {
    const batchSize = Math.min(options.limit, MOST_LISTED)
    return this.#try(() => Array.fromAsync(this.#kv.list<T>(selector, { ...options, batchSize })))
  }

  atomic(): Deno.AtomicOperation {
    return this.#kv.atomic()
  }

  /** Commits once. `undefined` when a check failed. */
  async commit(operation: Deno.AtomicOperation): Promise<{ versionstamp: string } | undefined> {
    const committed = await this.#try(() => operation.commit())
    return committed.ok ? committed : undefined
  }

  /** Commits what `prepare` makes of what it reads, anew as often as a check fails; `prepare` may also have an answer at once. */
  async transact<T>(prepare: () => Promise<AtomicAttempt<T>>): Promise<T> {
    for (let tries = 0; tries < TRIES; tries++) {
      const attempt = await prepare()
      if ('answer' in attempt) return attempt.answer
      if ('operation' in attempt) {
        const committed = await this.commit(attempt.operation)
        if (committed) return attempt.committed(committed.versionstamp)
      }
      // Another process was faster. Soon after, both would meet again.
      if (tries > 1) await wait(tries, this.#clock, this.#random)
    }
    throw refuse(problems.unavailable())
  }

  watch(key: Deno.KvKey): ReadableStreamDefaultReader<[Deno.KvEntryMaybe<unknown>]> {
    return this.#kv.watch<[unknown]>([key]).getReader()
  }

  close(): void {
    this.#kv.close()
  }

  async #try<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await untilUnlocked(call, this.#clock, this.#random)
    } catch {
      throw refuse(problems.unavailable())
    }
  }
}

/** Calls until the file is not locked. Two local processes meet in one file, and Deno (2.9.5) gives up at once; nothing was written. */
export async function untilUnlocked<T>(call: () => Promise<T>, clock: Clock, random: Random): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call()
    } catch (error) {
      const isLocked = error instanceof Error && error.message.includes('database is locked')
      if (!isLocked || tries === TRIES) throw error
      await wait(tries, clock, random)
    }
  }
}

/** Waits, longer each time, and not as long as another that has begun at the same moment. */
function wait(tries: number, clock: Clock, random: Random): Promise<void> {
  const ms = Math.min(WAIT_MS, 2 ** tries) * random.number()
  return new Promise((resolve) => clock.setTimeout(resolve, ms))
}

/** What a transaction came to before its commit: something to commit, an answer without it, or nothing, for what was read did not fit together. */
export type AtomicAttempt<T> =
  | { operation: Deno.AtomicOperation; committed(versionstamp: string): T }
  | { answer: T }
  | { again: true }
