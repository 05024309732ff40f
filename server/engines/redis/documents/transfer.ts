import { EngineOpenError, type Page, type StoredJob } from '../../../jobs/engine.ts'
import type { ChangedRow } from '../../../jobs/paging/paging.ts'
import { type ExpiringNote, isSameState, type JobKey, type JobRecord, type Transfer } from '../../../jobs/transfer.ts'
import { originalText } from '../keys.ts'
import { scripts } from '../scripts/scripts.ts'
import type { Place, RedisStore } from '../store.ts'
import { decodeKey, type NamedRow, rowsOf } from './known-job.ts'
import { readChanges } from './page.ts'
import { restoreCall } from './write.ts'

/** Approximate size of the rows that are read by one script: bytes of JSON. */
const PAGE_BYTES = 1_048_576
/** Rows put aside by one script, so that it takes some milliseconds. */
const STAGED_ROWS = 1_000
/** How long rows stay put aside when their job does not follow: milliseconds. */
const STAGED_MS = 3_600_000

/** All of a store in Redis or Valkey. */
export class RedisTransfer implements Transfer {
  readonly #store: RedisStore

  constructor(store: RedisStore) {
    this.#store = store
  }

  get history(): string {
    const { nodes, places } = this.#store
    return nodes.home(places[0] as Place).generation
  }

  /** Each server has a subscription by which it tests whether messages arrive. */
  async requireIdle(): Promise<void> {
    const { nodes, places, by } = this.#store
    for (const place of places) {
      const [probes, own] = [place.keys.probe(''), place.keys.probe(by)]
      const channels = await nodes.call<string[]>(place, ['PUBSUB', 'SHARDCHANNELS', `${probes}*`])
      if (channels.some((channel) => !channel.startsWith(own)))
        throw new EngineOpenError('A server uses this store, or another copy runs. Stop it, then try again.')
    }
  }

  async countJobs(): Promise<number> {
    const { nodes, places } = this.#store
    const counts = await Promise.all(places.map((place) => nodes.call<number>(place, ['ZCARD', allJobs(place)])))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Partition after partition. */
  async listIds({ cursor = '0-0', limit }: Parameters<Transfer['listIds']>[0]): Promise<Page<string>> {
    const { nodes, places } = this.#store
    const [partition = 0, rank = 0] = cursor.split('-').map(Number)
    const place = places[partition]
    if (!place) return { rows: [] }
    const rows = await nodes.call<string[]>(place, ['ZRANGE', allJobs(place), `${rank}`, `${rank + limit - 1}`])
    if (rows.length === limit) return { rows, nextCursor: `${partition}-${rank + limit}` }
    return partition + 1 < places.length ? { rows, nextCursor: `${partition + 1}-0` } : { rows }
  }

  async readRecord(id: string): Promise<JobRecord | undefined> {
    const found = await this.#store.load(id)
    if (!found) return undefined
    const { job, place } = found.state
    return { ...job, place, rows: await this.#rowsOf(job), keys: await this.#keysOf(id) }
  }

  async writeRecord(record: JobRecord, over?: StoredJob): Promise<boolean> {
    const { nodes } = this.#store
    const { id } = record.header
    const place = this.#store.placeOf(id)
    const before = (await this.#store.load(id))?.state
    if ((before === undefined) !== (over === undefined) || !isSameState(before?.job, over)) return false
    const rows = namedRowsOf(record)
    for (let at = 0; at < rows.length; at += STAGED_ROWS) {
      const some = rows.slice(at, at + STAGED_ROWS).flatMap(({ name, row, json }) => [name, `${row.version}`, json])
      const args = [at === 0 ? '1' : '0', `${STAGED_MS}`, ...some]
      await nodes.commit(place, scripts.stage, place.keys.staged(id), args)
    }
    const call = restoreCall(place.keys, before, record, this.#store.nextStamp())
    const [code] = await nodes.commit<[number]>(place, scripts.restore, call.keys, call.args)
    this.#store.known.delete(id)
    return code === 1
  }

  async listNotes({ after, limit }: Parameters<Transfer['listNotes']>[0]): Promise<ExpiringNote[]> {
    const { nodes, places } = this.#store
    const place = places[0] as Place
    const { notes, noteOrder, noteExpiry } = place.keys
    const range = [after === '' ? '-' : `(${after}`, '+', 'LIMIT', '0', `${limit}`]
    const keys = await nodes.call<string[]>(place, ['ZRANGEBYLEX', noteOrder, ...range])
    if (keys.length === 0) return []
    const [texts, untils] = await Promise.all([
      nodes.call<(string | null)[]>(place, ['HMGET', notes, ...keys]),
      nodes.call<(string | null)[]>(place, ['ZMSCORE', noteExpiry, ...keys]),
    ])
    return keys.map((key, index) => ({ key, text: texts[index] ?? '', until: Number(untils[index]) }))
  }

  async #rowsOf({ header }: StoredJob): Promise<ChangedRow[]> {
    const rows: ChangedRow[] = []
    for (let version = 0; ; ) {
      const cursor = { epoch: header.epoch, version }
      const read = await readChanges(this.#store, header.id, cursor, { view: 'all', maxBytes: PAGE_BYTES })
      if (!read) return rows
      const { steps = [], items = [], errors = [], logs = [], to, more } = read.patch
      const page: ChangedRow[] = [
        ...steps.map((row) => ({ list: 'steps' as const, row })),
        ...items.map((row) => ({ list: 'items' as const, row })),
        ...errors.map((row) => ({ list: 'errors' as const, row })),
        ...logs.map((row) => ({ list: 'logs' as const, row })),
      ]
      rows.push(...page.sort((a, b) => a.row.version - b.row.version))
      if (!more) return rows
      version = to
    }
  }

  async #keysOf(id: string): Promise<JobKey[]> {
    const { nodes } = this.#store
    const place = this.#store.placeOf(id)
    const names = await nodes.call<string[]>(place, ['ZRANGE', place.keys.usedOrder(id), '0', '-1'])
    if (names.length === 0) return []
    const used = await nodes.call<(string | null)[]>(place, ['HMGET', place.keys.used(id), ...names])
    return names.map((name, index) => ({ key: originalText(name), ...decodeKey(used[index] ?? '') }))
  }
}

/** The index of all jobs of a partition, in the order of creation. */
const allJobs = ({ keys }: Place) => keys.list(undefined, 'all')

/** Rows under their names. The windows of errors and log lines end at the newest that were reported. */
function namedRowsOf({ header, marks, rows }: JobRecord): NamedRow[] {
  const steps = rows.flatMap(({ list, row }) => (list === 'steps' ? [row] : []))
  const items = rows.flatMap(({ list, row }) => (list === 'items' ? [row] : []))
  const errors = rows.flatMap(({ list, row }) => (list === 'errors' ? [row] : []))
  const logs = rows.flatMap(({ list, row }) => (list === 'logs' ? [row] : []))
  const before = {
    header: { ...header, errorCount: header.errorCount - errors.length, logCount: header.logCount - logs.length },
    marks,
  }
  return rowsOf({ header, marks, from: 0, events: [], steps, items, errors, logs }, before)
}
