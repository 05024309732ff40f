import '@preact/signals'
import { useMemo, useRef } from 'preact/hooks'
import { parseJobAddress } from '../connection/job-url.ts'
import type { JobSignal, UseJobProgressOptions } from './job-signal.ts'
import { getJobSignal } from './shared-job-signal.ts'

/**
 * A job's progress, live, for a Preact component: signals for the job, its percent, time left, connection and error.
 *
 * The connection is open while a component that is mounted reads one of them; components that show the same job share it. With `initial`, a
 * server renders the job and the page goes on from that version.
 *
 * @example
 * ```tsx
 * function Import({ id }: { id: string }) {
 *   const { job, percent } = useJobProgress(id)
 *   return <progress max={100} value={percent.value}>{job.value?.title}</progress>
 * }
 * ```
 */
export function useJobProgress(jobId: string, options: UseJobProgressOptions = {}): JobSignal {
  // One that is written in the component is another at each render.
  const getToken = useRef(options.getToken).current
  const all = { ...options, getToken, jobId }
  const { key } = parseJobAddress(all)
  return useMemo(() => getJobSignal(all), [key, options.environment])
}
