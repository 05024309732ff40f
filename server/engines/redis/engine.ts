import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { ProblemError, problems, refuse } from '../../errors.ts'
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
  StoreFigures,
  Unwatch,
  View,
  WatchTarget,
} from '../../jobs/engine.ts'
import { BLOCK_BYTES, NOTHING, refusalOfJob } from '../../jobs/kept.ts'
import { RedisNodes } from './cluster/nodes.ts'
import type { AcknowledgeLevel } from './connection/acknowledge.ts'
import { parseRedisSetting } from './connection/setting.ts'
import { foundIn, type KnownJob, type LoadReply } from './documents/known-job.ts'
import { Lane, type LaneParts } from './documents/lane.ts'
import { listMerged } from './documents/list.ts'
import { readChanges } from './documents/page.ts'
import { RedisTransfer } from './documents/transfer.ts'
import { type Allowed, createCall, removeCall } from './documents/write.ts'
import { figuresOf } from './figures.ts'
import { originalText } from './keys.ts'
import { encodeChange, type Order } from './message.ts'
import { RedisNotes } from './notes.ts'
import { scripts } from './scripts/scripts.ts'
import { prepare } from './start/start.ts'
import { type Place, placesOf, RedisStore } from './store.ts'
import { RedisWatches } from './watches.ts'

/** How long a node keeps the due index of a partition for itself: milliseconds. Longer than the interval of sweeps. */
const SWEEPER_MS = 12_000

/** Options of the engine, all with defaults. */
export interface RedisOptions {
  limits?: Limits
  clock?: Clock
  random?: Random
  /** What an acknowledged event survives. `memory` by default. */
  acknowledge?: AcknowledgeLevel
}

/**
 * Documents in Redis or Valkey: one server, one with Sentinels, or a cluster. Any number of processes share it.
 *
 * Each batch is folded here, on the state that this process knows, and committed by one script that compares and writes. Watchers in this
 * process are woken at once, those in others by a message of the script.
 */
export class RedisEngine implements Engine {
  readonly name = 'redis'
  readonly notes: RedisNotes
  readonly transfer: RedisTransfer
  readonly #store: RedisStore
  readonly #watches: RedisWatches
  readonly #parts: LaneParts
  readonly #lanes = new Map<string, Lane>()
  #isClosed = false

  /**
   * @param setting `redis://…`, `rediss://…` or `valkey://…`
   * @throws {EngineOpenError} when the server can't be used; ConfigError for a malformed setting
   */
  static async open(setting: string, options: RedisOptions = {}): Promise<RedisEngine> {
    const { clock = systemClock, random = systemRandom, acknowledge = 'memory' } = options
    const prepared = await prepare(parseRedisSetting(setting), acknowledge)
    const places = placesOf(prepared.partitions, prepared.setting.database)
    const nodes: RedisNodes = new RedisNodes({
      ...prepared,
      clock,
      random,
      onMessage: (...message) => watches.receive(...message),
      recover: ({ index }, node) => watches.recover(places[index] as Place, node),
      probeChannel: ({ index }) => (places[index] as Place).keys.probe(store.by),
    })
    const store = new RedisStore(nodes, places, clock, random)
    const watches = new RedisWatches(store)
    await nodes.open()
    return new RedisEngine(store, watches, options)
  }

  private constructor(store: RedisStore, watches: RedisWatches, options: RedisOptions) {
    const { limits = defaultLimits } = options
    this.#store = store
    this.#watches = watches
    this.notes = new RedisNotes(store)
    this.transfer = new RedisTransfer(store)
    this.#parts = {
      store,
      limits,
      wake: (owner: string, change: Change, order: Order) => watches.wake(owner, change, order),
      isQuiet: (id: string) => watches.isQuiet(id),
    }
  }

  create(job: JobToCreate): Promise<Created> {
    return answered(() => this.#store.nodes.throughMoves(() => this.#create(job)))
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    return answered(() => this.#lane(id).apply(batch))
  }

  async read(id: string): Promise<StoredJob | undefined> {
    const found = await this.#store.load(id)
    if (found) this.#watches.see(id, found.state.job)
    return found?.state.job
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const read = await readChanges(this.#store, id, cursor, page)
    if (read) this.#watches.see(id, read.job)
    return read?.patch
  }

  list(query: ListQuery): Promise<Page<JobHeader>> {
    return listMerged(this.#store, query)
  }

  remove(id: string, only: RemoveOnly = {}): Promise<boolean> {
    return this.#lane(id).run(() => this.#store.nodes.throughMoves(() => this.#remove(id, only)))
  }

  watch(target: WatchTarget, wake: (change: Change) => void, onLost?: () => void): Promise<Unwatch> {
    return this.#watches.add(target, wake, onLost)
  }

  /** Each partition is swept by one node at a time: another finds nothing due there. */
  async due({ list, before, after, limit }: DueQuery): Promise<DueJob[]> {
    const { nodes, places, by } = this.#store
    const [from, id] = after ? [`${after.at}`, after.id] : ['-inf', '']
    const found = await Promise.all(
      places.map((place) => {
        const { keys } = place
        const args = [by, `${SWEEPER_MS}`, `${before}`, `${limit}`, from, id, keys.jobPrefix]
        return nodes.read<string[]>(place, scripts.due, [keys.due(list), keys.sweeper], args)
      }),
    )
    return found
      .flatMap(dueJobs)
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
      .slice(0, limit)
  }

  figures(most: number): Promise<StoreFigures> {
    return figuresOf(this.#store, most)
  }

  async check(): Promise<void> {
    const { nodes, places } = this.#store
    if (!nodes.isComplete) throw refuse(problems.unavailable('The store is away, or sends no messages.'))
    const [place] = places
    if (place) await nodes.call(place, ['EXISTS', place.keys.format])
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes.values()].map((lane) => lane.run(async () => {})))
    this.#store.nodes.close()
  }

  #lane(id: string): Lane {
    if (this.#isClosed) throw refuse(problems.unavailable('The server is stopping. Send the request again.'))
    const known = this.#lanes.get(id)
    if (known) return known
    const lane = new Lane(id, this.#parts, () => this.#lanes.delete(id))
    this.#lanes.set(id, lane)
    return lane
  }

  async #create(asked: JobToCreate): Promise<Created> {
    const { nodes } = this.#store
    const { header, marks } = asked
    const { id, epoch, version, owner, createdBy } = header
    const place = this.#store.placeOf(id)
    const isLimited = asked.liveLimit !== undefined || asked.keptLimit !== undefined
    const isCluster = this.#store.places.length > 1
    const elsewhere = isLimited && isCluster ? await this.#store.standing(createdBy, place) : NOTHING
    const { id: by, generation } = nodes.home(place)
    const job: StoredJob = { header, marks: { ...marks, generations: [[generation, 1]] } }
    const change: Change = { id, epoch, from: 0, to: version, header }
    const stamp = this.#store.nextStamp()
    const message = encodeChange({ by, history: generation, order: [0, 1], change })
    const call = createCall(place.keys, job, { stamp, message, allowed: allowedOf(asked, elsewhere) })
    const wake = (created: number) => this.#watches.wake(owner, change, [created, 1])
    const [code, ...rest] = await nodes.commit<[number, ...LoadReply]>(
      place,
      scripts.create,
      call.keys,
      call.args,
      ([, created]) => wake(Number(created)),
    )
    if (code === 0) {
      const taken = foundIn(rest)
      if (!taken) return this.#create(asked)
      await nodes.confirm(place, place.keys.confirm)
      return { created: false, job: taken.state.job }
    }
    if (code === 2) {
      const [live = 0, jobs = 0, blocks = 0] = rest.map(Number)
      const standing = {
        live: live + elsewhere.live,
        jobs: jobs + elsewhere.jobs,
        blocks: blocks + elsewhere.blocks,
      }
      return { refused: refusalOfJob(standing, asked) ?? problems.unavailable() }
    }
    const state: KnownJob = { stamp, place: Number(rest[0]), commits: 1, job, rows: new Map(), size: marks.bytes }
    this.#store.remember(id, state)
    wake(state.place)
    return { created: true, job }
  }

  async #remove(id: string, only: RemoveOnly): Promise<boolean> {
    const { nodes, known } = this.#store
    const place = this.#store.placeOf(id)
    known.delete(id)
    for (;;) {
      const state = (await this.#store.load(id))?.state
      if (!state || !mayRemove(state.job, only)) return false
      const { header } = state.job
      const { epoch, version, owner } = header
      const order: Order = [state.place, state.commits + 1]
      const change: Change = { id, epoch, from: version, to: version, header, removed: true }
      const { id: by, generation: history } = nodes.home(place)
      const call = removeCall(place.keys, state, encodeChange({ by, history, order, change }))
      const wake = () => this.#watches.wake(owner, change, order)
      const [code] = await nodes.commit<[number]>(place, scripts.remove, call.keys, call.args, wake)
      if (code === 0) continue
      wake()
      return true
    }
  }
}

/** Refusals as answers. */
async function answered<T>(work: () => Promise<T>): Promise<T | { refused: ProblemError['problem'] }> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProblemError) return { refused: error.problem }
    throw error
  }
}

/** What a creator may have in a partition, with what it has in the others. */
function allowedOf({ liveLimit, keptLimit }: JobToCreate, elsewhere: typeof NOTHING): Allowed {
  return {
    ...(liveLimit !== undefined && { live: liveLimit - elsewhere.live }),
    ...(keptLimit && {
      jobs: keptLimit.jobs - elsewhere.jobs,
      blocks: Math.floor(keptLimit.bytes / BLOCK_BYTES) - elsewhere.blocks,
    }),
  }
}

function dueJobs(found: readonly string[]): DueJob[] {
  return Array.from({ length: found.length / 3 }, (_, index) => {
    const [id = '', at, createdBy = ''] = found.slice(3 * index, 3 * index + 3)
    return { id, at: Number(at), createdBy: createdBy === '' ? '' : originalText(createdBy) }
  })
}
