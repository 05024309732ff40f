import '@preact/signals'
import { useMemo, useRef } from 'preact/hooks'
import type { JobListSignal } from './job-list-signal.ts'
import { jobListOf, type UseJobsOptions } from './shared-job-list.ts'

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
  const { make, dependencies } = jobListOf({ ...options, getToken })
  return useMemo(make, dependencies)
}
