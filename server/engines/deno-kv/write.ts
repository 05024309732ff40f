import type { Item, JobHeader, Step } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { dueOf } from '../../jobs/background/due.ts'
import type { Batch, Commit, IdempotencyKey, StoredJob } from '../../jobs/engine.ts'
import { KEYS_KEPT } from '../../jobs/idempotency.ts'
import { changeOfStanding } from '../../jobs/kept.ts'
import type { ChangedRow } from '../../jobs/paging/paging.ts'
import { listOf } from '../../jobs/tenant-documents.ts'
import { keys, type PayloadField } from './keys.ts'
import { type FoundJob, type KvLoaded, keyPlace, windows } from './store.ts'
import { type ChangeNote, encodePayload, encodeRow, type Gone, type Head, type Listed, type UsedKey } from './values.ts'

/** Lifetime of a tombstone and of a change note, which polling processes read: milliseconds. */
const GONE_MS = 3_600_000
const NEWS_MS = 60_000

type Operation = Deno.AtomicOperation

/** Id of the writing process, which ignores its own changes when it reads them back. */
interface KvWriter {
  by: string
}

/** Writes a new job. */
export function writeNew(operation: Operation, job: StoredJob, place: { life: string; seq: number } & KvWriter): void {
  const head: Head = { ...place, ...stripped(job), keyCount: 0 }
  writePayload(operation, head, 'result', job.header.result, job.marks.resultVersion)
  writePayload(operation, head, 'metadata', job.header.metadata, job.marks.metadataVersion)
  operation.set(keys.job(job.header.id), head)
  writeIndexes(operation, head.seq, undefined, job)
  writeNews(operation, job.header, { epoch: job.header.epoch, version: job.header.version, by: place.by })
}

/** Writes a commit. @returns the new head */
export function writeCommit(
  operation: Operation,
  entry: FoundJob,
  loaded: KvLoaded,
  commit: Commit,
  batch: Batch,
  by: string,
): Head {
  const { head: before } = entry
  const job: StoredJob = { header: commit.header, marks: commit.marks }
  const head: Head = { ...before, ...stripped(job), by }
  if (job.marks.resultVersion !== before.marks.resultVersion) {
    deletePayload(operation, before, 'result', before.marks.resultVersion)
    writePayload(operation, head, 'result', job.header.result, job.marks.resultVersion)
  }
  if (job.marks.metadataVersion !== before.marks.metadataVersion) {
    deletePayload(operation, before, 'metadata', before.marks.metadataVersion)
    writePayload(operation, head, 'metadata', job.header.metadata, job.marks.metadataVersion)
  }
  if (batch.key) {
    head.keyCount += 1
    writeKey(operation, head, loaded, batch.key, Date.parse(batch.at))
  }
  operation.set(entry.key, head)
  for (const row of commit.steps) writeNamed(operation, head.life, loaded, { list: 'steps', row })
  for (const row of commit.items) writeNamed(operation, head.life, loaded, { list: 'items', row })
  writeWindow(
    operation,
    entry,
    loaded,
    'errors',
    commit.errors.map((row) => ({ list: 'errors', row })),
  )
  writeWindow(
    operation,
    entry,
    loaded,
    'logs',
    commit.logs.map((row) => ({ list: 'logs', row })),
  )
  writeIndexes(operation, head.seq, entry.job, job)
  writeNews(operation, job.header, { epoch: job.header.epoch, version: job.header.version, by })
  return head
}

/** Replaces a job by a tombstone; {@link keys.trashed} marks its rows for deletion. */
export function writeRemoval(operation: Operation, { key, head, job }: FoundJob, by: string): void {
  const { epoch, version } = job.header
  const gone: Gone = { gone: true, epoch, version, by }
  operation.set(key, gone, { expireIn: GONE_MS })
  operation.set(keys.trashed(head.life), 1)
  writeIndexes(operation, head.seq, job, undefined)
  writeNews(operation, job.header, { epoch, version, gone: true, by })
}

function stripped({ header, marks }: StoredJob): Pick<Head, 'header' | 'marks'> {
  const { result: _result, metadata: _metadata, ...kept } = header
  return { header: kept, marks }
}

function writePayload(operation: Operation, head: Head, field: PayloadField, value: unknown, version: number): void {
  const { payload, parts } = encodePayload(value)
  if (payload === undefined) delete head[field]
  else head[field] = payload
  for (const [part, bytes] of parts.entries()) operation.set(keys.payload(head.life, field, version, part), bytes)
}

function deletePayload(operation: Operation, head: Head, field: PayloadField, version: number): void {
  const payload = head[field]
  if (typeof payload !== 'number') return
  for (let part = 0; part < payload; part++) operation.delete(keys.payload(head.life, field, version, part))
}

/**
 * Writes the newest idempotency key of a job and deletes the oldest. The store's `expireIn` would go by the wall clock, which also runs
 * while no server is up.
 */
function writeKey(operation: Operation, head: Head, loaded: KvLoaded, { key, digest }: IdempotencyKey, at: number) {
  const { life, keyCount: n } = head
  const { used: before, oldestKey } = loaded
  if (oldestKey !== undefined && oldestKey !== key) operation.delete(keys.idempotency(life, oldestKey))
  // A reused key gets one place only: its old place would delete it too early.
  if (before && before.n > n - KEYS_KEPT) operation.delete(keys.keySlot(life, keyPlace(before.n)))
  operation.set(keys.keySlot(life, keyPlace(n)), key)
  operation.set(keys.idempotency(life, key), { digest, at, n } satisfies UsedKey)
}

function writeNamed(
  operation: Operation,
  life: string,
  loaded: KvLoaded,
  changed: ChangedRow & { row: Step | Item },
): void {
  const { list, row } = changed
  const before = loaded.versionOf(list, row.id)
  if (before !== undefined) operation.delete(keys.row(life, before))
  operation.set(keys.name(life, list, row.id), row.version)
  operation.set(keys.row(life, row.version), encodeRow(changed))
}

function writeWindow(
  operation: Operation,
  entry: FoundJob,
  loaded: KvLoaded,
  list: keyof typeof windows,
  rows: ChangedRow[],
): void {
  const { life } = entry.head
  const { size, count } = windows[list]
  for (const [index, changed] of rows.entries()) {
    const place = (count(entry.job) + index) % size
    const oldest = loaded.versionOf(list, place)
    if (oldest !== undefined) operation.delete(keys.row(life, oldest))
    operation.set(keys.slot(life, list, place), changed.row.version)
    operation.set(keys.row(life, changed.row.version), encodeRow(changed))
  }
}

/** Updates the indexes and counts for one job's change, where they differ; `undefined` means absent. */
function writeIndexes(
  operation: Operation,
  seq: number,
  before: StoredJob | undefined,
  after: StoredJob | undefined,
): void {
  if (before?.header.status !== after?.header.status) {
    if (before) for (const key of listKeys(before.header, seq)) operation.delete(key)
    if (after) for (const key of listKeys(after.header, seq)) operation.set(key, listedOf(after.header))
  }
  const [dueBefore, dueAfter] = [before && dueOf(before), after && dueOf(after)]
  if (dueBefore?.list !== dueAfter?.list || dueBefore?.at !== dueAfter?.at) {
    if (before && dueBefore) operation.delete(keys.due(dueBefore, before.header.id))
    if (after && dueAfter) operation.set(keys.due(dueAfter, after.header.id), after.header.createdBy)
  }
  const createdBy = (after ?? before)?.header.createdBy
  if (createdBy === undefined) return
  const { live, jobs, blocks } = changeOfStanding(before, after)
  addTo(operation, keys.live(createdBy), live)
  addTo(operation, keys.kept(createdBy, 'jobs'), jobs)
  addTo(operation, keys.kept(createdBy, 'blocks'), blocks)
}

/** Adds to a count. Sums of Deno KV wrap around, so a negative number is one of 64 bits without a sign. */
function addTo(operation: Operation, key: Deno.KvKey, count: number): void {
  if (count !== 0) operation.sum(key, BigInt.asUintN(64, BigInt(count)))
}

function listKeys(header: JobHeader, seq: number): Deno.KvKey[] {
  const list = listOf(header.id)
  const lists = list === undefined ? [header.owner, undefined] : [header.owner, list, undefined]
  return lists.flatMap((whose) => listKeysOf(whose, header, seq))
}

type Indexed = Pick<JobHeader, 'id' | 'kind' | 'status' | 'parentId'>

/** The keys of a job in the indexes of its owner, its tenant or all jobs. @param whose the owner or list; `undefined` for all jobs */
export function listKeysOf(whose: string | undefined, job: Indexed, seq: number): Deno.KvKey[] {
  const { id, kind, status, parentId } = job
  const indexes: [string, string][] = [
    ['all', ''],
    ['kind', kind],
    ['status', status],
  ]
  if (parentId !== undefined) indexes.push(['parent', parentId])
  if (!isTerminalStatus(status)) indexes.push(['live', ''])
  return indexes.map(([field, value]) => [...keys.list(whose, field, value), seq, id])
}

export function listedOf({ kind, status, parentId }: Indexed): Listed {
  return { kind, status, parentId }
}

function writeNews(operation: Operation, { id, owner }: JobHeader, news: ChangeNote): void {
  operation.set(keys.newsOf(owner, id), news, { expireIn: NEWS_MS })
  operation.set(keys.bump(owner), news.by)
}
