import '@preact/signals'
import { useMemo, useRef } from 'preact/hooks'
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
 * A list of jobs, live, for a Preact component. Components with the same jobs share it, and its connection, whatever they leave out.
 *
 * A component that draws `ids`, and another for each id that draws `row(id)`, draw one row when one job changes.
 *
 * @example
 * ```tsx
 * function Running() {
 *   const { ids, row } = useJobs({ status: 'running' })
 *   return ids.value.map((id) => <Row key={id} row={row(id)} />)
 * }
 * ```
 */
export function useJobs(options: UseJobsOptions = {}): JobListSignal {
  // One that is written in the component is another at each render.
  const getToken = useRef(options.getToken).current
  const { status, kind, ...listed } = { ...options, getToken }
  const { environment = usualEnvironment(), baseUrl, owner, parent } = listed
  const key = JSON.stringify([baseUrl, owner, parent, credentialKey(listed)])
  const statuses = status === undefined ? undefined : [status].flat()
  return useMemo(() => {
    const list = shared.get(environment, key, () => createJobListSignal(listed))
    if (!statuses && kind === undefined) return list
    const isWanted = ({ job }: JobRow) =>
      (!statuses || statuses.includes(job.status)) && (kind === undefined || job.kind === kind)
    const rows = sameIfEqual(() => list.rows.value.filter(isWanted))
    return { ...list, rows, ids: sameIfEqual(() => rows.value.map(({ job }) => job.id)) }
  }, [environment, key, `${statuses}`, kind])
}
