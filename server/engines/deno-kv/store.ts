import type { AppliedEvent, JobEvent } from '../../../shared/document/events.ts'
import type { Item, JobHeader, Step } from '../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { type Loaded, namedRows } from '../../jobs/apply-batch.ts'
import type { Batch, StoredJob } from '../../jobs/engine.ts'
import { isForgotten, KEYS_KEPT } from '../../jobs/idempotency.ts'
import type { ChangedRow } from '../../jobs/paging/paging.ts'
import { LruCache } from '../../support/lru.ts'
import type { KvAccess } from './access.ts'
import { keys, type List, type PayloadField } from './keys.ts'
import {
  decodeRow,
  type Gone,
  type Head,
  jobOf,
  joinParts,
  PART_BYTES,
  type Payload,
  type StoredRow,
  type UsedKey,
} from './values.ts'

/** Size of the LRU cache of payloads: about this many bytes of JSON. */
const CACHE_SIZE = 4 * 1_024 * 1_024

/** A job as read. Writes based on it are checked against its versionstamp. */
export interface FoundJob {
  key: Deno.KvKey
  versionstamp: string
  head: Head
  job: StoredJob
}

/** Everything read to apply a batch and to write its commit. */
export interface KvLoaded extends Loaded {
  /** The stored version of a step or item, or of the error or log line that the batch pushes out of its window. */
  versionOf(list: List, id: string | number): number | undefined
  /** The stored entry of the batch's idempotency key, even an expired one. */
  used: UsedKey | undefined
  /** The idempotency key that the batch's key pushes out of the window. */
  oldestKey: string | undefined
}

/** The windows of a document: their size, and the number of rows ever added. */
export const windows = {
  errors: { size: ERROR_WINDOW, count: ({ header }: StoredJob) => header.errorCount },
  logs: { size: LOG_WINDOW, count: ({ header }: StoredJob) => header.logCount },
} as const

/** Reads of jobs. */
export class KvStore {
  readonly #kv: KvAccess
  readonly #payloads = new LruCache<string, unknown>(CACHE_SIZE)

  constructor(kv: KvAccess) {
    this.#kv = kv
  }

  async find(id: string): Promise<FoundJob | undefined> {
    for (;;) {
      const entry = await this.#complete(await this.#kv.get<Head | Gone>(keys.job(id)))
      if (entry !== 'changed') return entry
    }
  }

  /** Several jobs, in the order of `ids`; not one snapshot. */
  async findMany(ids: readonly string[]): Promise<(FoundJob | undefined)[]> {
    const heads = await this.#kv.getMany<Head | Gone>(ids.map((id) => keys.job(id)))
    const find = async (id: string, head: Deno.KvEntryMaybe<Head | Gone> | undefined) => {
      const entry = head && (await this.#complete(head))
      return entry === 'changed' ? this.find(id) : entry
    }
    return Promise.all(ids.map((id, index) => find(id, heads[index])))
  }

  /** Whether the job is unchanged since it was read. */
  async isCurrent({ key, versionstamp }: FoundJob): Promise<boolean> {
    return (await this.#kv.get(key)).versionstamp === versionstamp
  }

  /** Whether the job is still in the same life. */
  async isAlive({ key, head }: FoundJob): Promise<boolean> {
    const { value } = await this.#kv.get<Head | Gone>(key)
    return value !== null && 'life' in value && value.life === head.life
  }

  /** Reads what a batch needs; `undefined` if the job changed meanwhile. */
  async load({ head, job }: FoundJob, batch: Batch): Promise<KvLoaded | undefined> {
    const { events, key } = batch
    const wanted = [...wantedRows(events, job)]
    const keyOf = (list: List, id: string | number) =>
      typeof id === 'string' ? keys.name(head.life, list, id) : keys.slot(head.life, list, id)
    const [used, oldestKey, versions] = await Promise.all([
      key ? this.#kv.get<UsedKey>(keys.idempotency(head.life, key.key)) : undefined,
      key ? this.#kv.get<string>(keys.keySlot(head.life, keyPlace(head.keyCount + 1))) : undefined,
      this.#kv.getMany<number>(wanted.map(([list, id]) => keyOf(list, id))),
    ])
    const found = new Map<string, { version: number; row?: Step | Item }>()
    const named: { version: number; row?: Step | Item }[] = []
    for (const [index, [list, id]] of wanted.entries()) {
      const version = versions[index]?.value ?? undefined
      if (version === undefined) continue
      const place = { version }
      found.set(`${list} ${id}`, place)
      if (typeof id === 'string') named.push(place)
    }
    const rows = await this.#kv.getMany<StoredRow>(named.map(({ version }) => keys.row(head.life, version)))
    for (const [index, place] of named.entries()) {
      const stored = rows[index]?.value
      if (!stored) return undefined
      place.row = decodeRow(stored).row as Step | Item
    }
    return {
      job,
      step: (id) => found.get(`steps ${id}`)?.row as Step | undefined,
      item: (id) => found.get(`items ${id}`)?.row as Item | undefined,
      key: used?.value && isKept(used.value, head, batch) ? used.value : undefined,
      used: used?.value ?? undefined,
      oldestKey: oldestKey?.value ?? undefined,
      versionOf: (list, id) => found.get(`${list} ${id}`)?.version,
    }
  }

  /** Rows changed after a version, by version. */
  async changedSince({ head }: FoundJob, version: number, limit: number): Promise<ChangedRow[]> {
    const selector = { prefix: keys.rows(head.life), start: keys.row(head.life, version + 1) }
    return (await this.#kv.list<StoredRow>(selector, { limit })).map(({ value }) => decodeRow(value))
  }

  /** Caches the payloads of a committed head, which the next batch needs. */
  remember(head: Head, { result, metadata }: JobHeader): void {
    for (const [field, value] of Object.entries({ result, metadata }) as [PayloadField, unknown][]) {
      const name = payloadName(head, field)
      if (typeof head[field] === 'number' && this.#payloads.get(name) === undefined)
        this.#payloads.set(name, value, head[field] * PART_BYTES)
    }
  }

  /** A head with its payloads; `changed` if a later commit deleted them. */
  async #complete(entry: Deno.KvEntryMaybe<Head | Gone>): Promise<FoundJob | 'changed' | undefined> {
    const { key, value: head, versionstamp } = entry
    if (head === null || 'gone' in head) return undefined
    const result = await this.#payload(head, 'result')
    const metadata = await this.#payload(head, 'metadata')
    if (result === 'changed' || metadata === 'changed') return 'changed'
    return { key, versionstamp, head, job: jobOf(head, result?.value, metadata?.value) }
  }

  async #payload(head: Head, field: PayloadField): Promise<{ value: unknown } | 'changed' | undefined> {
    const payload: Payload | undefined = head[field]
    if (payload === undefined) return undefined
    if (typeof payload === 'string') return { value: JSON.parse(payload) }
    const name = payloadName(head, field)
    const known = this.#payloads.get(name)
    if (known !== undefined) return { value: known }
    const parts = Array.from({ length: payload }, (_, part) =>
      keys.payload(head.life, field, versionOf(head, field), part),
    )
    const entries = await this.#kv.getMany<Uint8Array>(parts)
    const values = entries.map(({ value }) => value).filter((value) => value !== null)
    if (values.length < payload) return 'changed'
    const json = joinParts(values)
    const value: unknown = JSON.parse(json)
    this.#payloads.set(name, value, payload * PART_BYTES)
    return { value }
  }
}

/** The version that last changed a payload, which makes its key and cache name unique. */
function versionOf({ marks }: Head, field: PayloadField): number {
  return field === 'result' ? marks.resultVersion : marks.metadataVersion
}

const payloadName = (head: Head, field: PayloadField) => `${head.life} ${field} ${versionOf(head, field)}`

/** Ids of the steps and items that the events name, and the window places that their errors and log lines will overwrite. */
function* wantedRows(events: readonly (JobEvent | AppliedEvent)[], job: StoredJob): Iterable<[List, string | number]> {
  const { steps, items } = namedRows(events)
  for (const id of steps) yield ['steps', id]
  for (const id of items) yield ['items', id]
  for (const [list, type] of [
    ['errors', 'error'],
    ['logs', 'log'],
  ] as const) {
    const { size, count } = windows[list]
    const added = events.filter((event) => event.type === type).length
    for (let n = Math.max(count(job), size); n < count(job) + added; n++) yield [list, n % size]
  }
}

/** Place in the window of idempotency keys. @param n number of the key, from 1 */
export const keyPlace = (n: number) => n % KEYS_KEPT

function isKept({ n, at }: UsedKey, { keyCount }: Head, batch: Batch): boolean {
  return n > keyCount - KEYS_KEPT && !isForgotten(at, batch)
}
