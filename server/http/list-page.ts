import type { FairTurns } from '../jobs/fair-turns.ts'
import type { OpenList } from '../jobs/jobs.ts'
import { LIST_BYTES } from '../jobs/paging/paging.ts'

/** Bytes of JSON of one step: a millisecond or two. */
const STEP_BYTES = 64 * 1_024
/** How heavy a page counts before it is read: bytes. A fourth of what a principal may have in progress. */
const PAGE_BYTES = 262_144

/** Runs a step of reading a list when it is its turn. */
type InTurn = (read: () => ReturnType<OpenList['read']>) => ReturnType<OpenList['read']>

/**
 * Reads and encodes a page of a list: as many jobs as fit into `limit` and about `LIST_BYTES`. A page of that size takes some 10 ms, so
 * principals take turns, step by step.
 *
 * @param who the principal's full name
 * @returns the JSON of a `JobList`
 */
export function listPage(list: OpenList, limit: number, who: string, turns: FairTurns | undefined): Promise<string> {
  // Without turns a step has no use, and costs a request to the store.
  if (!turns) return readPage(list, limit, LIST_BYTES, (read) => read())
  return turns.runHeavy(who, PAGE_BYTES, () => readPage(list, limit, STEP_BYTES, async (read) => turns.run(who, read)))
}

async function readPage(list: OpenList, limit: number, stepBytes: number, inTurn: InTurn): Promise<string> {
  let json = ''
  let left = limit
  for (let isLast = false; !isLast && left > 0; ) {
    const maxBytes = Math.min(stepBytes, LIST_BYTES - json.length)
    const step = await inTurn(() => list.read({ limit: left, maxBytes }))
    const text = JSON.stringify(step.jobs).slice(1, -1)
    json += json === '' || text === '' ? text : `,${text}`
    left -= step.jobs.length
    // The next step has at least one job, so there has to be room for one more of the usual size.
    isLast = step.isLast || json.length + text.length / Math.max(1, step.jobs.length) > LIST_BYTES
  }
  const nextCursor = await list.nextCursor()
  return `{"jobs":[${json}]${nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`}}`
}
