import type { JobHeader } from '../../../shared/document/job.ts'
import { matchesText } from '../../../shared/document/matches-text.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { Filter } from '../route.ts'

interface Row {
  job: JobHeader
}

/** The status of the jobs that a filter shows; `undefined` for those of several. */
export function statusOf(filter: Filter): JobHeader['status'] | undefined {
  if (filter === 'done') return 'completed'
  return filter === 'failed' || filter === 'cancelled' ? filter : undefined
}

/** Whether a job belongs to what a filter shows: `running` includes every job that has not ended. */
function matchesFilter({ status }: Pick<JobHeader, 'status'>, filter: Filter): boolean {
  if (filter === 'all') return true
  return filter === 'running' ? !isTerminalStatus(status) : status === statusOf(filter)
}

/** The jobs that a filter and a search leave. */
export function filterJobs<R extends Row>(rows: readonly R[], filter: Filter, search: string): R[] {
  if (filter === 'all' && search === '') return [...rows]
  return rows.filter(({ job }) => matchesFilter(job, filter) && (search === '' || matchesText(job, search)))
}

/** How many jobs each filter would show. */
export function countByFilter(rows: readonly Row[]): Record<Filter, number> {
  const counts: Record<Filter, number> = { all: rows.length, running: 0, done: 0, failed: 0, cancelled: 0 }
  for (const { job } of rows) {
    if (job.status === 'completed') counts.done += 1
    else counts[job.status === 'failed' || job.status === 'cancelled' ? job.status : 'running'] += 1
  }
  return counts
}
