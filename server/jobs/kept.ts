import type { Limits } from '../../shared/document/limits.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { type Problem, problems } from '../errors.ts'
import type { JobToCreate, StoredJob } from './engine.ts'

/** What a job keeps is counted in blocks of this many bytes: so the counts of its creator change seldom, and not with every event. */
const BLOCK_BYTES = 4_096

/** How much a job keeps, as its document is measured: in blocks, at least one. */
export function blocksOf({ marks }: StoredJob): number {
  return Math.max(1, Math.ceil(marks.bytes / BLOCK_BYTES))
}

/** What a creator has of jobs. Engines keep these counts, so that nothing is ever counted anew. */
export interface Kept {
  jobs: number
  blocks: number
}

/** The same, and how many of these jobs have not ended. */
export interface Standing extends Kept {
  live: number
}

/** What becomes of the standing of a creator when one of its jobs changes, comes or goes. */
export function changeOfStanding(before: StoredJob | undefined, after: StoredJob | undefined): Standing {
  const liveOf = (job: StoredJob | undefined) => (job && !isTerminalStatus(job.header.status) ? 1 : 0)
  return {
    live: liveOf(after) - liveOf(before),
    jobs: (after ? 1 : 0) - (before ? 1 : 0),
    blocks: (after ? blocksOf(after) : 0) - (before ? blocksOf(before) : 0),
  }
}

/** What a creator has who has nothing. */
export const NOTHING: Readonly<Standing> = { live: 0, jobs: 0, blocks: 0 }

/** Why a creator may not have one more job. */
export function refusalOfJob(standing: Standing, { liveLimit, keptLimit }: JobToCreate): Problem | undefined {
  if (liveLimit !== undefined && standing.live >= liveLimit) {
    const detail = `You have ${liveLimit} jobs that have not ended. End some, then try again.`
    return problems.tooMany('liveJobs', detail)
  }
  if (keptLimit && standing.jobs >= keptLimit.jobs) {
    const detail = `${keptLimit.jobs} jobs of yours are kept. Remove some that ended, then try again.`
    return problems.tooMany('keptJobs', detail)
  }
  return keptLimit && refusalOfBytes(standing, 1, keptLimit.bytes)
}

/** Why a job of a creator may not grow. */
export function refusalOfGrowth(
  kept: Kept,
  before: StoredJob,
  after: StoredJob,
  { keptBytes }: Pick<Limits, 'keptBytes'>,
): Problem | undefined {
  return refusalOfBytes(kept, blocksOf(after) - blocksOf(before), keptBytes)
}

function refusalOfBytes({ blocks }: Kept, more: number, bytes: number): Problem | undefined {
  if (more <= 0 || (blocks + more) * BLOCK_BYTES <= bytes) return undefined
  return problems.tooMany('keptBytes', `Jobs of yours that are kept have ${bytes} bytes. Remove some, then try again.`)
}
