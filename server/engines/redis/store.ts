import { type Clock, type Random, randomId } from '../../../shared/time/clock.ts'
import type { Standing } from '../../jobs/kept.ts'
import { LruCache } from '../../support/lru.ts'
import type { RedisNodes } from './cluster/nodes.ts'
import { type Partition, partitionIndex } from './cluster/partitions.ts'
import { type Found, foundIn, type KnownJob, type LoadReply } from './documents/known-job.ts'
import { PartitionKeys } from './keys.ts'
import { scripts } from './scripts/scripts.ts'

/** Size of the LRU cache of jobs: characters of JSON, about 16 MiB. */
const CACHE_SIZE = 16 * 1_024 * 1_024

/** A partition with the names of its keys. */
export interface Place extends Partition {
  readonly keys: PartitionKeys
}

/** Gives partitions the names of their keys. */
export function placesOf(partitions: readonly Partition[], database: number): Place[] {
  return partitions.map((partition) => ({ ...partition, keys: new PartitionKeys(partition.tag, database) }))
}

/** The parts of the engine that its operations share. */
export class RedisStore {
  readonly nodes: RedisNodes
  readonly places: readonly Place[]
  readonly clock: Clock
  /** Id of this process among those that share the store. */
  readonly by: string
  /** Jobs as this process last wrote or read them. Only commits may use them: the script compares stamps. */
  readonly known = new LruCache<string, KnownJob>(CACHE_SIZE)
  #stamps = 0

  constructor(nodes: RedisNodes, places: readonly Place[], clock: Clock, random: Random) {
    this.nodes = nodes
    this.places = places
    this.clock = clock
    this.by = randomId(random, 12)
  }

  placeOf(id: string): Place {
    // The index is below the number of partitions.
    return this.places[partitionIndex(id, this.places.length)] as Place
  }

  /** A stamp that no commit has had. */
  nextStamp(): string {
    this.#stamps += 1
    return `${this.by}.${this.#stamps}`
  }

  /** Reads a job, with rows and the entry of an idempotency key. @param since as in `RedisNodes.throughMoves` */
  async load(id: string, names: readonly string[] = [], key = '', since?: number): Promise<Found | undefined> {
    const place = this.placeOf(id)
    const { keys } = place
    const reply = await this.nodes.read<LoadReply>(
      place,
      scripts.load,
      [keys.job(id), keys.rows(id), keys.used(id)],
      [key, ...names],
      since,
    )
    return foundIn(reply, names)
  }

  /**
   * A creator's counts in all partitions, or in all but one. Read before the commit: in a cluster concurrent requests may together exceed
   * a limit slightly.
   */
  async standing(createdBy: string, here?: Place): Promise<Standing> {
    const others = this.places.filter((place) => place !== here)
    const counts = await Promise.all(
      others.map((place) =>
        this.nodes.call<(string | null)[]>(place, ['HMGET', place.keys.creator(createdBy), 'live', 'jobs', 'blocks']),
      ),
    )
    const sum = (at: number) => counts.reduce((total, count) => total + Number(count[at] ?? 0), 0)
    return { live: sum(0), jobs: sum(1), blocks: sum(2) }
  }

  remember(id: string, state: KnownJob): void {
    this.known.set(id, state, state.size)
  }
}
