import { isDeepStrictEqual } from 'node:util'
import { tokenSeries } from '../../auth/access.ts'
import type { StoredJob } from '../../jobs/engine.ts'
import { versionHeld } from '../../jobs/paging/paging.ts'
import { isSameState, type JobRecord } from '../../jobs/transfer.ts'
import { CopyError } from './copy-error.ts'
import { copyNotes } from './copy-notes.ts'
import type { End } from './end.ts'

/** Jobs that are looked at together. */
const PAGE = 64
/** Bytes of documents that are copied together, unless one is larger. */
const BATCH_BYTES = 8_388_608
/** Most ids that a message names. */
const MAX_NAMED = 10

interface CopySummary {
  /** Jobs of FROM. */
  jobs: number
  /** Jobs that were written, not there before. */
  copied: number
  notes: number
  /** Jobs of TO that FROM does not have. */
  others: number
}

/** Called with what is done, and how many jobs of how many. */
type Show = (text: string, done: number, total: number) => void

/** A job at both ends. */
interface Pair {
  id: string
  source: StoredJob
  target: StoredJob | undefined
}

/**
 * Copies all jobs and notes of a store to another, and compares them. Repeated after an interruption, it goes on.
 *
 * @param now milliseconds since the Unix epoch
 * @throws CopyError that says what to do
 */
export async function copyStore(from: End, to: End, now: number, show: Show): Promise<CopySummary> {
  await requireIdle(from, to)
  const jobs = await from.ask(({ transfer }) => transfer.countJobs())
  if ((await to.ask(({ transfer }) => transfer.countJobs())) > 0) await refuseConflicts(from, to, jobs, show)
  let [done, copied] = [0, 0]
  for await (const pairs of pairsOf(from, to)) {
    const missing = pairs.filter(({ source, target }) => !isSameState(source, target))
    for (const batch of batchesOf(missing)) {
      await Promise.all(batch.map((pair) => copyJob(from, to, pair)))
      copied += batch.length
    }
    done += pairs.length
    show('Copied', done, jobs)
  }
  const notes = await copyNotes(from, to, now)
  await compare(from, to, jobs, show)
  await requireIdle(from, to)
  const inTarget = await to.ask(({ transfer }) => transfer.countJobs())
  return { jobs, copied, notes, others: inTarget - jobs }
}

async function requireIdle(from: End, to: End): Promise<void> {
  const histories = []
  for (const end of [from, to]) {
    await end.ask(async ({ transfer }) => transfer.requireIdle?.())
    histories.push(await end.ask(async ({ transfer }) => transfer.history))
  }
  if (histories[0] === undefined || histories[0] !== histories[1]) return
  throw new CopyError(
    'FROM and TO are in one Redis server, so watchers could not tell their histories apart: copy to another server.',
  )
}

/** Before anything is written. */
async function refuseConflicts(from: End, to: End, jobs: number, show: Show): Promise<void> {
  const conflicts: string[] = []
  let done = 0
  for await (const pairs of pairsOf(from, to)) {
    for (const { id, source, target } of pairs) if (target && !continues(source, target)) conflicts.push(id)
    done += pairs.length
    show('Looked at', done, jobs)
  }
  if (conflicts.length === 0) return
  throw new CopyError(
    `TO has other jobs with the ids of FROM, or these went on in TO: ${named(conflicts)}. Nothing was copied. Delete them there or here, or copy to an empty store.`,
  )
}

/** Whether a job is the same as, or goes on from, an earlier state that was copied. */
function continues(source: StoredJob, target: StoredJob): boolean {
  return versionHeld(target.header, source) === target.header.version && tokenSeries(target) <= tokenSeries(source)
}

/** All jobs of FROM, with those of the same ids in TO. */
async function* pairsOf(from: End, to: End): AsyncIterable<Pair[]> {
  for await (const ids of pagesOfIds(from)) {
    const pairs = ids.map(async (id): Promise<Pair> => {
      const [source, target] = await Promise.all([
        from.ask((engine) => engine.read(id)),
        to.ask((engine) => engine.read(id)),
      ])
      if (!source) throw changed(from)
      return { id, source, target }
    })
    yield await Promise.all(pairs)
  }
}

async function* pagesOfIds(from: End): AsyncIterable<string[]> {
  let cursor: string | undefined
  do {
    const page = await from.ask(({ transfer }) => transfer.listIds({ cursor, limit: PAGE }))
    yield page.rows
    cursor = page.nextCursor
  } while (cursor !== undefined)
}

function* batchesOf(pairs: readonly Pair[]): Iterable<Pair[]> {
  let batch: Pair[] = []
  let bytes = 0
  for (const pair of pairs) {
    if (batch.length > 0 && bytes + pair.source.marks.bytes > BATCH_BYTES) {
      yield batch
      ;[batch, bytes] = [[], 0]
    }
    batch.push(pair)
    bytes += pair.source.marks.bytes
  }
  if (batch.length > 0) yield batch
}

async function copyJob(from: End, to: End, { id, target }: Pair): Promise<void> {
  const record = await read(from, id)
  if (!record) throw changed(from)
  if (!(await to.ask(({ transfer }) => transfer.writeRecord(record, target)))) throw changed(to)
}

const read = (end: End, id: string) => end.ask(({ transfer }) => transfer.readRecord(id))

const changed = ({ name }: End) =>
  new CopyError(`${name} was changed during the copy: stop the servers that use it, then repeat the copy.`)

/** Reads all jobs of both again. */
async function compare(from: End, to: End, jobs: number, show: Show): Promise<void> {
  const differing: string[] = []
  let done = 0
  for await (const pairs of pairsOf(from, to)) {
    for (const batch of batchesOf(pairs)) {
      const records = await Promise.all(batch.map(({ id }) => Promise.all([read(from, id), read(to, id)])))
      for (const [index, [source, target]] of records.entries())
        if (!source || !target || !isSameRecord(source, target)) differing.push(batch[index]?.id ?? '')
    }
    done += pairs.length
    show('Compared', done, jobs)
  }
  if (differing.length === 0) return
  throw new CopyError(
    `These jobs of TO differ from those of FROM: ${named(differing)}. Do not use TO: delete them there, then repeat the copy.`,
    { exitCode: 2 },
  )
}

/** A key that one of the stores has forgotten since makes no difference. */
function isSameRecord(source: JobRecord, target: JobRecord): boolean {
  const keys = new Map(target.keys.map(({ key, ...used }) => [key, used]))
  return (
    isDeepStrictEqual([source.header, source.marks, source.rows], [target.header, target.marks, target.rows]) &&
    source.keys.every(({ key, ...used }) => isDeepStrictEqual(keys.get(key), used))
  )
}

function named(ids: readonly string[]): string {
  const more = ids.length - MAX_NAMED
  return ids.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
