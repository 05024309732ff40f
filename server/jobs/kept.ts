import type { Limits } from '../../shared/document/limits.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { type Problem, problems } from '../errors.ts'
import type { JobToCreate, StoredJob } from './engine.ts'

/** Sizes are counted in blocks of this many bytes, so that few events change the counts of a creator. */
export const BLOCK_BYTES = 4_096

/** Size of a job's document in blocks, at least 1. */
export function blocksOf({ marks }: StoredJob): number {
  return Math.max(1, Math.ceil(marks.bytes / BLOCK_BYTES))
}

/** A creator's stored jobs. Engines update these counts in each commit instead of counting jobs. */
export interface Kept {
  jobs: number
  blocks: number
}

/** With `live`, the number of jobs that have not ended. */
export interface Standing extends Kept {
  live: number
}

/** The difference to a creator's counts when one of its jobs is created, changed or removed. */
export function changeOfStanding(before: StoredJob | undefined, after: StoredJob | undefined): Standing {
  const liveOf = (job: StoredJob | undefined) => (job && !isTerminalStatus(job.header.status) ? 1 : 0)
  return {
    live: liveOf(after) - liveOf(before),
    jobs: (after ? 1 : 0) - (before ? 1 : 0),
    blocks: (after ? blocksOf(after) : 0) - (before ? blocksOf(before) : 0),
  }
}

/** The counts of a creator without jobs. */
export const NOTHING: Readonly<Standing> = { live: 0, jobs: 0, blocks: 0 }

/** Why a creator may not create another job; `undefined` if it may. */
export function refusalOfJob(standing: Standing, { liveLimit, keptLimit }: JobToCreate): Problem | undefined {
  if (liveLimit !== undefined && standing.live >= liveLimit) {
    const detail = `You have ${liveLimit} jobs that have not ended. End some, then try again.`
    return problems.tooMany('liveJobs', detail)
  }
  if (keptLimit && standing.jobs >= keptLimit.jobs) {
    const detail = `You have ${keptLimit.jobs} stored jobs. Remove some that ended, then try again.`
    return problems.tooMany('keptJobs', detail)
  }
  return keptLimit && refusalOfBytes(standing, 1, keptLimit.bytes)
}

/** Why a creator's job may not grow; `undefined` if it may. */
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
  return problems.tooMany('keptBytes', `Your stored jobs would exceed ${bytes} bytes. Remove some, then try again.`)
}
