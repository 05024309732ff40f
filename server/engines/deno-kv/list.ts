import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { headerBytes } from '../../jobs/apply-batch.ts'
import type { ListQuery, Page } from '../../jobs/engine.ts'
import { LISTED_AT_ONCE, ListPage } from '../../jobs/paging/paging.ts'
import { listOf } from '../../jobs/tenant-documents.ts'
import type { KvAccess } from './access.ts'
import { keys } from './keys.ts'
import type { KvStore } from './store.ts'
import type { Listed } from './values.ts'

/** Most index entries per read. */
const MAX_SCANNED = 1_000
const CURSOR = /^(\d{1,16})-([A-Za-z0-9._~:-]{1,194})$/

/** A place in the order of creation. */
type Place = [seq: number, id: string]

/** A page of one owner's, one tenant's or all jobs, newest first, from the index of the narrowest filter. */
export async function listJobs(kv: KvAccess, store: KvStore, query: ListQuery): Promise<Page<JobHeader>> {
  const prefix = indexOf(query)
  let end = query.cursor === undefined ? undefined : parsePlace(query.cursor)
  if (query.cursor !== undefined && end === undefined) return { rows: [] }
  const page = new ListPage(query)
  let scan = query.limit + 1
  for (let isLast = false; !page.isFull && !isLast; scan = Math.min(2 * scan, MAX_SCANNED)) {
    const selector = end ? { prefix, end: [...prefix, ...end] } : { prefix }
    const entries = await kv.list<Listed>(selector, { limit: scan, reverse: true })
    isLast = entries.length < scan
    const places = entries.map(({ key }) => key.slice(-2) as Place)
    end = places.at(-1)
    const wanted = places.filter((_, index) => isWanted(entries[index]?.value, query))
    // A few per read, because each may have a large result.
    for (let at = 0; at < wanted.length && !page.isFull; at += LISTED_AT_ONCE) {
      const some = wanted.slice(at, at + LISTED_AT_ONCE)
      const jobs = await store.findMany(some.map(([, id]) => id))
      for (const [index, place] of some.entries()) {
        const { head, job: { header } = {} } = jobs[index] ?? {}
        // Since the index was read the job may have changed, or another job may have taken its id.
        if (header && head?.seq === place[0] && isTheirs(header, query) && isWanted(header, query))
          page.add(header, place.join('-'), headerBytes(header))
      }
    }
  }
  return page.page
}

function indexOf({ owner, parentId, status, live, kind }: ListQuery): Deno.KvKey {
  if (parentId !== undefined) return keys.list(owner, 'parent', parentId)
  if (status !== undefined) return keys.list(owner, 'status', status)
  if (live) return keys.list(owner, 'live', '')
  if (kind !== undefined) return keys.list(owner, 'kind', kind)
  return keys.list(owner, 'all', '')
}

/** Checked, because two processes may give the same `seq` to successive jobs with one id within a millisecond. */
const isTheirs = (job: JobHeader, { owner }: ListQuery) =>
  owner === undefined || job.owner === owner || listOf(job.id) === owner

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
