import type { JobHeader } from '../../shared/job.ts'
import { isTerminalStatus } from '../../shared/selectors.ts'
import type { ListQuery, Page } from '../engine.ts'
import type { KvAccess } from './deno-kv-access.ts'
import { keys } from './deno-kv-keys.ts'
import type { KvStore } from './deno-kv-store.ts'
import type { Listed } from './deno-kv-values.ts'

/** Entries of an index that are looked through at once, at most. */
const MOST_SCANNED = 1_000
const CURSOR = /^(\d{1,16})-([A-Za-z0-9._~-]{1,128})$/

/** A place in the order of creation. */
type Place = [seq: number, id: string]

/** A page of an owner's jobs, or of everyone's, newest first, by the index of the narrowest filter. */
export async function listJobs(kv: KvAccess, store: KvStore, query: ListQuery): Promise<Page<JobHeader>> {
  const prefix = indexOf(query)
  let end = query.cursor === undefined ? undefined : parsePlace(query.cursor)
  if (query.cursor !== undefined && end === undefined) return { rows: [] }
  const found: { place: Place; header: JobHeader }[] = []
  let scan = query.limit + 1
  for (let isLast = false; found.length <= query.limit && !isLast; scan = Math.min(2 * scan, MOST_SCANNED)) {
    const selector = end ? { prefix, end: [...prefix, ...end] } : { prefix }
    const entries = await kv.list<Listed>(selector, { limit: scan, reverse: true })
    isLast = entries.length < scan
    const places = entries.map(({ key }) => key.slice(-2) as Place)
    end = places.at(-1)
    const wanted = places.filter((_, index) => isWanted(entries[index]?.value, query))
    const jobs = await store.findMany(wanted.map(([, id]) => id))
    for (const [index, place] of wanted.entries()) {
      const job = jobs[index]
      // It may have changed since the index was read, or be another of the same id.
      if (job?.head.seq === place[0] && isTheirs(job.job.header, query) && isWanted(job.job.header, query))
        found.push({ place, header: job.job.header })
    }
  }
  const page = found.slice(0, query.limit)
  const last = page.at(-1)
  const rows = page.map(({ header }) => header)
  return last && found.length > page.length ? { rows, nextCursor: last.place.join('-') } : { rows }
}

function indexOf({ owner, parentId, status, live, kind }: ListQuery): Deno.KvKey {
  if (parentId !== undefined) return keys.list(owner, 'parent', parentId)
  if (status !== undefined) return keys.list(owner, 'status', status)
  if (live) return keys.list(owner, 'live', '')
  if (kind !== undefined) return keys.list(owner, 'kind', kind)
  return keys.list(owner, 'all', '')
}

/** Two processes may give one number to two jobs of one id, one after the other, in the same moment. */
const isTheirs = (job: JobHeader, { owner }: ListQuery) => owner === undefined || job.owner === owner

function isWanted(job: Listed | undefined, { status, live, kind, parentId }: ListQuery): boolean {
  return (
    job !== undefined &&
    (status === undefined || job.status === status) &&
    (live === undefined || isTerminalStatus(job.status) !== live) &&
    (kind === undefined || job.kind === kind) &&
    (parentId === undefined || job.parentId === parentId)
  )
}

function parsePlace(cursor: string): Place | undefined {
  const match = CURSOR.exec(cursor)
  return match?.[1] && match[2] ? [Number(match[1]), match[2]] : undefined
}
