import type { Limits } from '../../../../shared/document/limits.ts'
import { problems } from '../../../errors.ts'
import { applyBatch, changeOf } from '../../../jobs/apply-batch.ts'
import type { Applied, Batch, Change, Commit } from '../../../jobs/engine.ts'
import { BLOCK_BYTES, blocksOf, refusalOfGrowth } from '../../../jobs/kept.ts'
import { SlotMoves } from '../cluster/slot-moves.ts'
import { safeText } from '../keys.ts'
import type { Order } from '../message.ts'
import type { Place, RedisStore } from '../store.ts'
import {
  type Found,
  foundIn,
  type KnownJob,
  type LoadReply,
  loadedOf,
  namesIn,
  rowsOf,
  stateAfter,
} from './known-job.ts'
import { commitCall } from './write.ts'

/** Most batches of a job in flight, and most of their events and KiB together. */
const CHAIN = { batches: 32, weight: 1_000 }

/** What is shared by the lanes of all jobs. */
export interface LaneParts {
  store: RedisStore
  limits: Limits
  /** Wakes this process's watchers, after the answer. */
  wake(owner: string, change: Change, order: Order): void
  /** Whether all watchers of a job in this process are quiet. */
  isQuiet(id: string): boolean
}

interface Waiting {
  batch: Batch
  /** Milliseconds of the monotonic clock. */
  since: number
  resolve(applied: Applied): void
  reject(error: unknown): void
}

/** A batch that was decided on the state before it, and whose commit is in flight. */
interface Sent {
  waiting: Waiting
  result: Promise<Result>
}

type Settled = { applied: Applied; state?: KnownJob }
/** A commit that found another state. */
type Tried = { found: Found | undefined }
type Result = Settled | Tried

/**
 * The batches of one job, in order.
 *
 * Batches that wait at the same time are sent together (pipelining): each is decided on the state that the one before it will leave, and
 * names its stamp. When the store has another state, the script replies with it, and the batches from there on are decided again.
 */
export class Lane {
  readonly #id: string
  readonly #parts: LaneParts
  readonly #place: Place
  readonly #waiting: (Waiting | (() => Promise<void>))[] = []
  readonly #onEmpty: () => void
  #isBusy = false

  constructor(id: string, parts: LaneParts, onEmpty: () => void) {
    this.#id = id
    this.#parts = parts
    this.#place = parts.store.placeOf(id)
    this.#onEmpty = onEmpty
  }

  apply(batch: Batch): Promise<Applied> {
    const since = this.#parts.store.clock.monotonic()
    return new Promise((resolve, reject) => this.#add({ batch, since, resolve, reject }))
  }

  /** Runs other work on the job in its turn. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.#add(() => work().then(resolve, reject)))
  }

  #add(waiting: Waiting | (() => Promise<void>)): void {
    this.#waiting.push(waiting)
    if (!this.#isBusy) void this.#work()
  }

  async #work(): Promise<void> {
    this.#isBusy = true
    while (this.#waiting[0]) {
      const [next] = this.#waiting
      if (typeof next === 'function') {
        this.#waiting.shift()
        await next()
      } else if (!(await this.#sendChain())) {
        this.#waiting.shift()
        await this.#settle(next)
      }
    }
    this.#isBusy = false
    this.#onEmpty()
  }

  /** Sends as many batches as can be decided without a read. @returns whether there were any */
  async #sendChain(): Promise<boolean> {
    const { store } = this.#parts
    const known = store.known.get(this.#id)
    if (!known) return false
    const sent: Sent[] = []
    let state = known
    let weight = 0
    while (sent.length < CHAIN.batches && weight < CHAIN.weight) {
      const [waiting] = this.#waiting
      if (!waiting || typeof waiting === 'function') break
      const found: Found = { state, used: undefined }
      const commit = this.#decide(found, waiting.batch)
      if (!commit || this.#needsCounts(found, commit)) break
      this.#waiting.shift()
      weight += waiting.batch.events.length + (waiting.batch.bytes ?? 0) / 1_024
      const { result, after } = this.#commit(found, commit, waiting.batch)
      // Awaited below, in order.
      result.catch(() => {})
      sent.push({ waiting, result })
      state = after
    }
    const again: Waiting[] = []
    let first: Tried | undefined
    for (const { waiting, result } of sent) {
      try {
        const outcome = await result
        if ('found' in outcome) {
          if (again.length === 0) first = outcome
          again.push(waiting)
        } else this.#answer(waiting, outcome)
      } catch (error) {
        store.known.delete(this.#id)
        if (error instanceof SlotMoves) again.push(waiting)
        else waiting.reject(error)
      }
    }
    const [next, ...rest] = again
    if (!next) return sent.length > 0
    store.known.delete(this.#id)
    this.#waiting.unshift(...rest)
    await this.#settle(next, first)
    return true
  }

  /**
   * Decides one batch on what the store has.
   *
   * @param tried a commit that found another state
   */
  async #settle(waiting: Waiting, tried?: Tried): Promise<void> {
    const { store } = this.#parts
    let first = tried
    try {
      const result = await store.nodes.throughMoves(() => {
        const found = first
        first = undefined
        return this.#applyToStored(waiting, found)
      }, waiting.since)
      this.#answer(waiting, result)
    } catch (error) {
      store.known.delete(this.#id)
      waiting.reject(error)
    }
  }

  /** Decides a batch as often as someone else commits in between. */
  async #applyToStored({ batch, since }: Waiting, tried: Tried | undefined): Promise<Settled> {
    const { store } = this.#parts
    let found = tried ? tried.found : await store.load(this.#id, namesIn(batch), usedName(batch), since)
    for (;;) {
      if (!found) return { applied: { refused: problems.notFound() } }
      const { state } = found
      const generation = this.#generation
      const outcome = applyBatch(loadedOf(found, batch, generation), batch, this.#parts.limits)
      if ('refused' in outcome) return { applied: outcome }
      if ('repeat' in outcome) {
        // What it repeats may have been committed without being acknowledged.
        await store.nodes.confirm(this.#place, this.#place.keys.confirm)
        return { applied: { header: outcome.repeat, repeat: true } }
      }
      const elsewhere = this.#needsCounts(found, outcome.commit)
        ? (await store.standing(state.job.header.createdBy, this.#place)).blocks
        : 0
      // The partition has another primary since. The events are decided again, because they name its generation.
      if (generation !== this.#generation) continue
      const result = await this.#commit(found, outcome.commit, batch, elsewhere).result
      if (!('found' in result)) return result
      found = result.found
    }
  }

  get #generation(): string {
    return this.#parts.store.nodes.home(this.#place).generation
  }

  /** The commit of a batch; `undefined` when it is refused, repeated or can't be decided: that needs what the store has now. */
  #decide(found: Found, batch: Batch): Commit | undefined {
    try {
      const outcome = applyBatch(loadedOf(found, batch, this.#generation), batch, this.#parts.limits)
      return 'commit' in outcome ? outcome.commit : undefined
    } catch {
      return undefined
    }
  }

  /** Whether a limit depends on counts of other partitions. */
  #needsCounts({ state }: Found, commit: Commit): boolean {
    return this.#parts.store.places.length > 1 && blocksOf(commit) > blocksOf(state.job)
  }

  /** @param elsewhere blocks of the creator in other partitions */
  #commit(found: Found, commit: Commit, batch: Batch, elsewhere = 0): { result: Promise<Result>; after: KnownJob } {
    const { store, limits } = this.#parts
    const { state } = found
    const names = namesIn(batch)
    const stamp = store.nextStamp()
    const rows = rowsOf(commit, state.job)
    const order: Order = [state.place, state.commits + 1]
    const change = changeOf(commit)
    const { id: by, generation: history } = store.nodes.home(this.#place)
    const message = { by, history, order, change }
    const allowed = { blocks: Math.floor(limits.keptBytes / BLOCK_BYTES) - elsewhere }
    const call = commitCall(this.#place.keys, found, commit, rows, batch, { stamp, message, names, allowed })
    const after = stateAfter(state, commit, rows, stamp)
    const wake = () => this.#parts.wake(commit.header.owner, change, order)
    const result = store.nodes.commitBatch<Refusal>(this.#place, call, wake).then((reply): Result => {
      if (typeof reply === 'number') {
        const { header } = commit
        // Quiet subscriptions of other processes count: their producers flush more often than they would have to.
        const isWatched = reply > 0 && reply > (this.#parts.isQuiet(this.#id) ? 1 : 0)
        wake()
        return { applied: { header, repeat: false, ...(isWatched && { watched: true }) }, state: after }
      }
      const [code, ...rest] = reply
      if (code === 0) return { found: foundIn(rest as LoadReply, names) }
      store.known.delete(this.#id)
      const kept = { jobs: 0, blocks: Number(rest[0]) + elsewhere }
      const refused = refusalOfGrowth(kept, state.job, commit, limits)
      return { applied: { refused: refused ?? problems.unavailable() } }
    })
    return { result, after }
  }

  #answer(waiting: Waiting, { applied, state }: Settled): void {
    if (state) this.#parts.store.remember(this.#id, state)
    waiting.resolve(applied)
  }
}

/** What the script found, or the blocks of the creator, which would be too many. */
type Refusal = [code: 0 | 2, ...rest: (number | string | null)[]]

/** The name of a batch's idempotency key in the store; empty without a key. */
const usedName = ({ key }: Batch) => (key ? safeText(key.key) : '')
