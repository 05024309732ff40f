import type { JobHeader } from '../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'
import { headerBytes } from '../../../jobs/apply-batch.ts'
import type { ListQuery, Page } from '../../../jobs/engine.ts'
import { LISTED_AT_ONCE, ListPage } from '../../../jobs/paging/paging.ts'
import { listOf } from '../../../jobs/tenant-documents.ts'
import { type PartitionKeys, safeText } from '../keys.ts'
import { scripts } from '../scripts/scripts.ts'
import type { Place, RedisStore } from '../store.ts'

/** Most entries of an index that one script looks at. */
const MAX_SCANNED = 1_000
const CURSOR = /^(\d{1,16})-([A-Za-z0-9._~:-]{1,194})$/

/** A job's position in the order of creation. In a cluster jobs of different partitions may have the same place. */
interface Position {
  place: number
  id: string
}

/** A page of one owner's or all jobs, newest first: the partitions' indexes, merged. */
export async function listMerged(store: RedisStore, query: ListQuery): Promise<Page<JobHeader>> {
  const after = query.cursor === undefined ? undefined : parsePosition(query.cursor)
  if (query.cursor !== undefined && !after) return { rows: [] }
  const merged = new MergedIndexes(store, query, after)
  const page = new ListPage(query)
  while (!page.isFull) {
    // A few at a time, because each may have a large result.
    const some = await merged.take(LISTED_AT_ONCE)
    if (some.length === 0) break
    const jobs = await Promise.all(some.map(({ id }) => store.load(id)))
    for (const [index, position] of some.entries()) {
      const { state } = jobs[index] ?? {}
      // Since the index was read the job may have changed, or another job may have taken its id.
      if (state?.place !== position.place || !matches(state.job.header, query)) continue
      page.add(state.job.header, `${position.place}-${position.id}`, headerBytes(state.job.header))
    }
  }
  return page.page
}

function parsePosition(cursor: string): Position | undefined {
  const [, place, id] = CURSOR.exec(cursor) ?? []
  return place !== undefined && id !== undefined ? { place: Number(place), id } : undefined
}

/** Negative when `a` is listed before `b`. */
const compare = (a: Position, b: Position) => b.place - a.place || (a.id < b.id ? 1 : a.id === b.id ? 0 : -1)

function matches(job: JobHeader, { owner, status, live, kind, parentId }: ListQuery): boolean {
  return (
    (owner === undefined || job.owner === owner || listOf(job.id) === owner) &&
    (status === undefined || job.status === status) &&
    (live === undefined || isTerminalStatus(job.status) !== live) &&
    (kind === undefined || job.kind === kind) &&
    (parentId === undefined || job.parentId === parentId)
  )
}

/** The indexes of all partitions as one. */
class MergedIndexes {
  readonly #indexes: IndexReader[]

  constructor(store: RedisStore, query: ListQuery, after: Position | undefined) {
    const most = Math.ceil((2 * (query.limit + 1)) / store.places.length) + 4
    this.#indexes = store.places.map((place) => new IndexReader(store, place, query, after, most))
  }

  /** The next positions, at most `limit`. None when there are no more. */
  async take(limit: number): Promise<Position[]> {
    const taken: Position[] = []
    while (taken.length < limit) {
      await Promise.all(this.#indexes.map((index) => index.fill()))
      const [first] = this.#indexes
        .filter(({ next }) => next !== undefined)
        .sort((a, b) => compare(a.next as Position, b.next as Position))
      const next = first?.shift()
      if (!next) break
      taken.push(next)
    }
    return taken
  }
}

/** One index, read some entries at a time. */
class IndexReader {
  readonly #store: RedisStore
  readonly #place: Place
  readonly #key: string
  readonly #conditions: string[]
  readonly #after: Position | undefined
  readonly #most: number
  #buffer: Position[] = []
  #max: string
  #isComplete = false

  constructor(store: RedisStore, place: Place, query: ListQuery, after: Position | undefined, most: number) {
    this.#store = store
    this.#place = place
    this.#key = indexOf(place.keys, query)
    this.#conditions = conditionsOf(query)
    this.#after = after
    this.#most = most
    this.#max = after ? `${after.place}` : '+inf'
  }

  get next(): Position | undefined {
    return this.#buffer[0]
  }

  shift(): Position | undefined {
    return this.#buffer.shift()
  }

  /** Reads until there is a next position, or the index ends. */
  async fill(): Promise<void> {
    while (this.#buffer.length === 0 && !this.#isComplete) {
      const { keys } = this.#place
      const args = [keys.jobPrefix, this.#max, `${this.#most}`, `${MAX_SCANNED}`, ...this.#conditions]
      const reply = await this.#store.nodes.read<[number, ...string[]]>(this.#place, scripts.list, [this.#key], args)
      const [isComplete, ...found] = reply
      this.#isComplete = isComplete === 1
      this.#max = `(${found.pop()}`
      for (let at = 0; at < found.length; at += 2) {
        const position = { id: found[at] ?? '', place: Number(found[at + 1]) }
        if (!this.#after || compare(this.#after, position) < 0) this.#buffer.push(position)
      }
    }
  }
}

/** The narrowest index. */
function indexOf(keys: PartitionKeys, { owner, parentId, status, live, kind }: ListQuery): string {
  if (parentId !== undefined) return keys.list(owner, 'parent', safeText(parentId))
  if (status !== undefined) return keys.list(owner, 'status', status)
  if (live) return keys.list(owner, 'live')
  if (kind !== undefined) return keys.list(owner, 'kind', safeText(kind))
  return keys.list(owner, 'all')
}

/** The conditions that the narrowest index does not meet. */
function conditionsOf({ parentId, status, live, kind }: ListQuery): string[] {
  const isParent = parentId !== undefined
  const byLive = live === undefined || (live && !isParent && status === undefined) ? '' : live ? '1' : '0'
  const byKind = kind === undefined || (!isParent && status === undefined && !live) ? '' : safeText(kind)
  return [isParent ? (status ?? '') : '', byLive, byKind, '']
}
