import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { Filter } from '../route.ts'

interface Row {
  job: JobHeader
}

/** Whether a job belongs to what a filter shows: `running` includes every job that has not ended. */
function matchesFilter({ status }: Pick<JobHeader, 'status'>, filter: Filter): boolean {
  if (filter === 'all') return true
  if (filter === 'failed') return status === 'failed'
  if (filter === 'finished') return status === 'completed' || status === 'cancelled'
  return !isTerminalStatus(status)
}

/** Whether each word of a search is somewhere in a job's title, kind, owner or id. */
function matchesSearch({ title, kind, owner, id }: JobHeader, search: string): boolean {
  const haystack = `${title}\n${kind}\n${owner}\n${id}`.toLocaleLowerCase()
  return search
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word))
}

/** The jobs that a filter and a search leave. */
export function filterJobs<R extends Row>(rows: readonly R[], filter: Filter, search: string): R[] {
  if (filter === 'all' && search === '') return [...rows]
  return rows.filter(({ job }) => matchesFilter(job, filter) && (search === '' || matchesSearch(job, search)))
}

/** How many jobs each filter would show. */
export function countByFilter(rows: readonly Row[]): Record<Filter, number> {
  const counts: Record<Filter, number> = { all: rows.length, running: 0, finished: 0, failed: 0 }
  for (const { job } of rows) {
    if (matchesFilter(job, 'running')) counts.running += 1
    else if (matchesFilter(job, 'finished')) counts.finished += 1
    else counts.failed += 1
  }
  return counts
}
