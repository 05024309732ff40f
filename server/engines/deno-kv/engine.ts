import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { type Clock, type Random, randomId, systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { ProblemError, problems } from '../../errors.ts'
import { applyBatch, changeOf } from '../../jobs/apply-batch.ts'
import { mayRemove } from '../../jobs/background/due.ts'
import type {
  Applied,
  Batch,
  Change,
  Created,
  DueJob,
  DueQuery,
  Engine,
  JobToCreate,
  ListQuery,
  Page,
  RemoveOnly,
  StoredJob,
  Unwatch,
  View,
  WatchTarget,
} from '../../jobs/engine.ts'
import { blocksOf, type Kept, refusalOfGrowth, refusalOfJob } from '../../jobs/kept.ts'
import { buildPage, startOf } from '../../jobs/paging/paging.ts'
import { KeyedMutex } from '../support/keyed-mutex.ts'
import { lastWrite } from '../support/last-write.ts'
import { KvAccess } from './access.ts'
import { keys } from './keys.ts'
import { listJobs } from './list.ts'
import { KvNotes } from './notes.ts'
import { openKv } from './open.ts'
import { readPage } from './page.ts'
import { KvStore } from './store.ts'
import { Trash } from './trash.ts'
import type { Gone, Head } from './values.ts'
import { KvWatches } from './watch.ts'
import { writeCommit, writeNew, writeRemoval } from './write.ts'

/**
 * Upper bounds of limits with this store. An atomic operation writes at most 800 KiB: that is enough for a batch of 32 events with the
 * longest texts, the rows that it changes, `result`, `metadata` and the header.
 */
const MOST: Pick<Limits, 'batchEvents' | 'messageBytes' | 'titleBytes' | 'resultBytes' | 'metadataBytes'> = {
  batchEvents: 32,
  messageBytes: defaultLimits.messageBytes,
  titleBytes: defaultLimits.titleBytes,
  resultBytes: defaultLimits.resultBytes,
  metadataBytes: defaultLimits.metadataBytes,
}

/** Interval of polling a file for the changes of other processes: milliseconds. */
const POLL_MS = 1_000

/** Options of the engine, all with defaults. */
export interface DenoKvOptions {
  limits?: Limits
  clock?: Clock
  random?: Random
  /** Polls watched keys at this interval instead of using `Deno.Kv.watch`: milliseconds. */
  pollMs?: number
  /** When a file was last written, before it was opened: milliseconds since the Unix epoch. */
  lastWrittenAt?: number | undefined
}

/**
 * Documents in Deno KV: a file, or the store of Deno Deploy, which any number of processes share.
 *
 * A job's head has one key and each row has one, ordered by version. Each batch is one atomic operation, conditional on the head's
 * versionstamp.
 *
 * Watchers in this process are woken at once, those in other processes through `Deno.Kv.watch`. On a file `watch` does not see other
 * processes (Deno 2.9.5), so watched keys are polled every second, which delays these wake-ups by up to a second.
 */
export class DenoKvEngine implements Engine {
  readonly name = 'deno-kv'
  readonly limits: Partial<Limits>
  readonly lastWrittenAt: number | undefined
  readonly notes: KvNotes
  readonly #limits: Limits
  readonly #kv: KvAccess
  readonly #store: KvStore
  readonly #watches: KvWatches
  readonly #trash: Trash
  readonly #mutex = new KeyedMutex()
  readonly #clock: Clock
  readonly #random: Random
  /** Id of this process among those that share the store. */
  readonly #by: string
  #seq = 0
  #isClosed = false

  /**
   * @param place a file, the URL of a Deno Deploy database, or empty for the database of the Deno Deploy app
   * @throws {EngineOpenError} when the store can't be used
   */
  static async open(
    place: string,
    options: Omit<DenoKvOptions, 'pollMs' | 'lastWrittenAt'> = {},
  ): Promise<DenoKvEngine> {
    const isFile = place !== '' && !URL.canParse(place)
    if (!isFile) return new DenoKvEngine(await openKv(place), options)
    const lastWrittenAt = lastWrite(place, `${place}-wal`)
    return new DenoKvEngine(await openKv(place), { ...options, pollMs: POLL_MS, lastWrittenAt })
  }

  /** @param kv opened by `openKv` */
  constructor(kv: Deno.Kv, options: DenoKvOptions = {}) {
    const { limits = defaultLimits, clock = systemClock, random = systemRandom, pollMs, lastWrittenAt } = options
    this.lastWrittenAt = lastWrittenAt
    this.limits = Object.fromEntries(
      Object.entries(MOST).map(([name, most]) => [name, Math.min(most, limits[name as keyof Limits])]),
    )
    this.#limits = { ...limits, ...this.limits }
    this.#clock = clock
    this.#random = random
    this.#by = randomId(random, 12)
    this.#kv = new KvAccess(kv, clock, random)
    this.#store = new KvStore(this.#kv)
    this.#watches = new KvWatches(this.#kv, { clock, by: this.#by, pollMs })
    this.#trash = new Trash(this.#kv)
    this.notes = new KvNotes(this.#kv)
  }

  create(job: JobToCreate): Promise<Created> {
    const { id, createdBy } = job.header
    // All creations of one principal check and change one count, so concurrent ones would fail each other's checks.
    return this.#mutex.run(`creator ${createdBy}`, () => this.#take(id, () => this.#create(job)))
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    const { batchEvents } = this.#limits
    if (batch.events.length > batchEvents) {
      const detail = `are ${batch.events.length}; a batch has at most ${batchEvents}`
      const problem = problems.tooLarge(`events: ${detail}. Send several batches.`, [{ field: 'events', detail }])
      return Promise.resolve({ refused: problem })
    }
    return this.#take(id, () => this.#apply(id, batch))
  }

  async read(id: string): Promise<StoredJob | undefined> {
    return (await this.#store.find(id))?.job
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    for (;;) {
      const entry = await this.#store.find(id)
      if (!entry) return undefined
      const from = startOf(cursor, entry.job)
      const hasRows = page.view === 'all' && from < entry.job.header.version
      if (!hasRows) return buildPage(entry.job, from, [], page.maxBytes)
      const patch = await readPage(this.#store, entry, from, page.maxBytes)
      if (patch) return patch
    }
  }

  list(query: ListQuery): Promise<Page<JobHeader>> {
    return listJobs(this.#kv, this.#store, query)
  }

  remove(id: string, only: RemoveOnly = {}): Promise<boolean> {
    return this.#mutex.run(`job ${id}`, () => this.#remove(id, only))
  }

  watch(target: WatchTarget, wake: (change: Change) => void, onLost: () => void = () => {}): Promise<Unwatch> {
    return this.#watches.add(target, { wake, onLost })
  }

  /** Also continues deleting the rows of removed jobs, where a killed process left off. */
  async due({ list, before, after, limit }: DueQuery): Promise<DueJob[]> {
    void this.#trash.clear()
    const prefix = keys.dues(list)
    // Start right after the key: a longer key sorts directly after its prefix.
    const selector = after ? { prefix, start: [...keys.due({ list, at: after.at }, after.id), 0] } : { prefix }
    const jobs: DueJob[] = []
    for (const { key, value } of await this.#kv.list<string>(selector, { limit })) {
      const [at, id] = key.slice(-2)
      if (Number(at) <= before) jobs.push({ id: String(id), at: Number(at), createdBy: value })
    }
    return jobs
  }

  async check(): Promise<void> {
    await this.#kv.get(keys.format)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watches.close()
    await this.#mutex.end()
    await this.#trash.close()
    this.#kv.close()
  }

  /** Runs work under the job's mutex, so that batches of one process queue instead of failing each other's checks. */
  #take<T>(id: string, work: () => Promise<T>): Promise<T | { refused: ProblemError['problem'] }> {
    return this.#mutex.run(`job ${id}`, work).catch((error: unknown) => {
      if (error instanceof ProblemError) return { refused: error.problem }
      throw error
    })
  }

  #create(asked: JobToCreate): Promise<Created> {
    const { header, marks, liveLimit } = asked
    const { id, epoch, version, owner, createdBy } = header
    const job = { header, marks }
    return this.#kv.transact<Created>(async () => {
      const [head, live, kept] = await Promise.all([
        this.#kv.get<Head | Gone>(keys.job(id)),
        this.#kv.get<Deno.KvU64>(keys.live(createdBy)),
        this.#kept(createdBy),
      ])
      if (head.value && 'life' in head.value) {
        const taken = await this.#store.find(id)
        return taken ? { answer: { created: false, job: taken.job } } : { again: true }
      }
      const refused = refusalOfJob({ ...kept, live: countOf(live.value) }, asked)
      if (refused) return { answer: { refused } }
      const operation = this.#kv.atomic().check(head)
      if (liveLimit !== undefined) operation.check(live)
      writeNew(operation, job, { life: randomId(this.#random, 12), seq: this.#nextSeq(), by: this.#by })
      return {
        operation,
        committed: (versionstamp) => {
          this.#watches.publish(owner, { id, epoch, from: 0, to: version, header }, versionstamp)
          return { created: true, job }
        },
      }
    })
  }

  #apply(id: string, batch: Batch): Promise<Applied> {
    return this.#kv.transact<Applied>(async () => {
      const entry = await this.#store.find(id)
      if (!entry) return { answer: { refused: problems.notFound() } }
      const loaded = await this.#store.load(entry, batch)
      if (!loaded) return { again: true }
      const outcome = applyBatch(loaded, batch, this.#limits)
      if (!('commit' in outcome)) {
        // Rows may have been read after a later commit: the answer holds only if the head has not changed.
        if (!(await this.#store.isCurrent(entry))) return { again: true }
        return { answer: 'refused' in outcome ? outcome : { header: outcome.repeat, repeat: true } }
      }
      const { header } = outcome.commit
      if (blocksOf(outcome.commit) > blocksOf(entry.job)) {
        const refused = refusalOfGrowth(await this.#kept(header.createdBy), entry.job, outcome.commit, this.#limits)
        if (refused) return { answer: { refused } }
      }
      const operation = this.#kv.atomic().check(entry)
      const head = writeCommit(operation, entry, loaded, outcome.commit, batch, this.#by)
      return {
        operation,
        committed: (versionstamp) => {
          this.#store.remember(head, header)
          this.#watches.publish(header.owner, changeOf(outcome.commit), versionstamp)
          return { header, repeat: false }
        },
      }
    })
  }

  #remove(id: string, only: RemoveOnly): Promise<boolean> {
    return this.#kv.transact<boolean>(async () => {
      const entry = await this.#store.find(id)
      if (!entry || !mayRemove(entry.job, only)) return { answer: false }
      const { header } = entry.job
      const operation = this.#kv.atomic().check(entry)
      writeRemoval(operation, entry, this.#by)
      return {
        operation,
        committed: (versionstamp) => {
          const { version, owner } = header
          const change: Change = { id, epoch: header.epoch, from: version, to: version, header, removed: true }
          this.#watches.publish(owner, change, versionstamp)
          void this.#trash.clear()
          return true
        },
      }
    })
  }

  /** A creator's counts. Read outside the transaction, so concurrent processes may together exceed a limit slightly. */
  async #kept(createdBy: string): Promise<Kept> {
    const [jobs, blocks] = await Promise.all(
      (['jobs', 'blocks'] as const).map((what) => this.#kv.get<Deno.KvU64>(keys.kept(createdBy, what))),
    )
    return { jobs: countOf(jobs?.value), blocks: countOf(blocks?.value) }
  }

  /** Order of creation, from the clock: strictly increasing in this process; unordered between processes within a millisecond. */
  #nextSeq(): number {
    this.#seq = Math.max(this.#seq + 1, this.#clock.now() * 1_024)
    return this.#seq
  }
}

/** A count as a number, at least 0: removing jobs older than the count makes the stored sum negative. */
function countOf(sum: Deno.KvU64 | null | undefined): number {
  return Math.max(0, Number(BigInt.asIntN(64, sum?.value ?? 0n)))
}
