import { backOff } from '../../../shared/time/backoff.ts'
import type { Clock, Random } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'

/** Keys of one `getMany`. */
const KEYS_AT_ONCE = 10
/** Largest batch of one `list`. */
const MAX_LISTED = 500
/** Attempts before the store counts as unavailable, and the backoff between them: milliseconds. */
const TRIES = 40
const WAIT_MS = { first: 1, most: 50 }

/** Deno KV with retries. A call that fails for good throws a `ProblemError` 503. */
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

  /** Reads any number of keys; each group of ten is a consistent snapshot. */
  async getMany<T>(wanted: readonly Deno.KvKey[]): Promise<Deno.KvEntryMaybe<T>[]> {
    const reads: Promise<Deno.KvEntryMaybe<T>[]>[] = []
    for (let at = 0; at < wanted.length; at += KEYS_AT_ONCE) {
      const some = wanted.slice(at, at + KEYS_AT_ONCE)
      reads.push(this.#try(() => this.#kv.getMany<T[]>(some)))
    }
    return (await Promise.all(reads)).flat()
  }

  list<T>(selector: Deno.KvListSelector, options: { limit: number; reverse?: boolean }): Promise<Deno.KvEntry<T>[]> {
    const batchSize = Math.min(options.limit, MAX_LISTED)
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

  /** Optimistic transaction: runs `prepare` and commits its operation, again whenever a check fails. */
  async transact<T>(prepare: () => Promise<AtomicAttempt<T>>): Promise<T> {
    for (let tries = 0; tries < TRIES; tries++) {
      const attempt = await prepare()
      if ('answer' in attempt) return attempt.answer
      if ('operation' in attempt) {
        const committed = await this.commit(attempt.operation)
        if (committed) return attempt.committed(committed.versionstamp)
      }
      // Another process committed first. Back off, so that the two don't collide again.
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

/** Retries a call while another process has the file locked. Deno (2.9.5) fails at once in that case and has written nothing. */
export async function untilUnlocked<T>(call: () => Promise<T>, clock: Clock, random: Random): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call()
    } catch (error) {
      const isLocked = error instanceof Error && error.message.includes('database is locked')
      if (!isLocked || tries === TRIES) throw error
      await wait(tries, clock, random)
    }
  }
}

function wait(failures: number, clock: Clock, random: Random): Promise<void> {
  const ms = backOff(failures, WAIT_MS.first, WAIT_MS.most, random.number())
  return new Promise((resolve) => clock.setTimeout(resolve, ms))
}

/** One attempt of a transaction: an operation to commit, an answer without a commit, or `again`, because the reads were inconsistent. */
type AtomicAttempt<T> =
  | { operation: Deno.AtomicOperation; committed(versionstamp: string): T }
  | { answer: T }
  | { again: true }
