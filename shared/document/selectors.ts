import type { Item, ItemStatus, Job, JobHeader, JobStatus, Step } from './job.ts'

/** Whether a job in this status has ended: no event follows. */
export function isTerminalStatus(status: JobStatus): status is 'completed' | 'failed' | 'cancelled' {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}

/** An amount of work. */
interface Amount {
  done: number
  /** `undefined` when unknown. */
  total: number | undefined
  unit: string | undefined
}

/** The number of items in all statuses. */
export function countItems(job: Pick<JobHeader, 'itemCounts'>): number {
  const { pending, running, succeeded, failed, skipped } = job.itemCounts
  return pending + running + succeeded + failed + skipped
}

/** The amount that the producer reported; without one, the amount of its items. */
export function getAmount(job: Pick<JobHeader, 'progress' | 'itemCounts'>): Amount {
  const { done, total, unit } = job.progress
  const items = countItems(job)
  if (items === 0 || done > 0 || total !== undefined) return { done, total, unit }
  const { pending, running } = job.itemCounts
  return { done: items - pending - running, total: items, unit }
}

/**
 * How far a job is, 0 to 100, or `undefined` when its total is unknown; a total of 0 is none. A completed job is at 100, whatever was counted.
 *
 * Taken from `progress`; else from the items; else, for a document with its steps, from their `weight`s: an ended step counts with all of its
 * weight, another with its `done` of `total`. A step without a weight weighs 1; without any weight there is no percent.
 *
 * @example
 * ```ts
 * getProgressPercent({ status: 'running', progress: { done: 13, total: 100 }, itemCounts }) // 13
 * ```
 */
export function getProgressPercent(
  job: Pick<JobHeader, 'status' | 'progress' | 'itemCounts'> & { readonly steps?: readonly Step[] },
): number | undefined {
  if (job.status === 'completed') return 100
  const { done, total } = getAmount(job)
  if (total === undefined) return job.steps && getWeightedPercent(job.steps)
  return total > 0 ? Math.min(100, (done * 100) / total) : undefined
}

function getWeightedPercent(steps: readonly Step[]): number | undefined {
  if (!steps.some(({ weight }) => weight !== undefined)) return undefined
  let all = 0
  let over = 0
  for (const { status, weight = 1, done = 0, total = 0 } of steps) {
    all += weight
    const isOpen = status === 'pending' || status === 'running'
    over += weight * (isOpen ? (total > 0 ? Math.min(1, done / total) : 0) : 1)
  }
  // Weights whose sum is infinite have no percent; it must still be a number.
  return all > 0 ? Math.min(100, (over * 100) / all || 0) : undefined
}

/** The items of a job in a status, in their order. */
export function getItemsByStatus(job: Pick<Job, 'items'>, status: ItemStatus): Item[] {
  return job.items.filter((item) => item.status === status)
}

/**
 * Whether a running job has been silent for longer than its heartbeat, and waits for no answer. Computed, never stored.
 *
 * @param now milliseconds since the epoch by the server's clock, which reaches watchers in `ping.at`
 */
export function isStalled(
  job: Pick<JobHeader, 'status' | 'lastEventAt' | 'heartbeatSeconds' | 'openAsks'>,
  now: number,
): boolean {
  return (
    job.status === 'running' &&
    !job.openAsks &&
    job.heartbeatSeconds !== undefined &&
    now > Date.parse(job.lastEventAt) + job.heartbeatSeconds * 1_000
  )
}
