import type { JobStatus } from '../../shared/document/job.ts'
import { usualEnvironment } from '../connection/environment.ts'
import { credentialKey } from '../connection/job-url.ts'
import { createJobListSignal, type JobListOptions, type JobListSignal, type JobRow } from './job-list-signal.ts'
import { sameIfEqual } from './same-if-equal.ts'
import { SharedSignals } from './shared.ts'

/** Which jobs, and how to reach them. */
export interface UseJobsOptions extends JobListOptions {
  status?: JobStatus | readonly JobStatus[] | undefined
  kind?: string | undefined
}

const shared = new SharedSignals<JobListSignal>()

/**
 * A list of jobs, for a hook: components with the same jobs share it, and its connection, whatever they leave out.
 *
 * @returns how to make it, and what it depends on: values to compare at the next rendering
 */
export function jobListOf({ status, kind, ...options }: UseJobsOptions) {
  const { environment = usualEnvironment(), baseUrl, owner, parent } = options
  const key = JSON.stringify([baseUrl, owner, parent, credentialKey(options)])
  const statuses = status === undefined ? undefined : [status].flat()
  const make = (): JobListSignal => {
    const list = shared.get(environment, key, () => createJobListSignal(options))
    if (!statuses && kind === undefined) return list
    const isWanted = ({ job }: JobRow) =>
      (!statuses || statuses.includes(job.status)) && (kind === undefined || job.kind === kind)
    const rows = sameIfEqual(() => list.rows.value.filter(isWanted))
    return { ...list, rows, ids: sameIfEqual(() => rows.value.map(({ job }) => job.id)) }
  }
  return { make, dependencies: [environment, key, `${statuses}`, kind] }
}
