import { useMemo, useRef } from 'react'
import { parseJobAddress } from '../connection/job-url.ts'
import { type JobProgress, progressBefore, readProgress } from '../signals/job-progress.ts'
import { initialOf, type JobSignal, type UseJobProgressOptions } from '../signals/job-signal.ts'
import { getJobSignal } from '../signals/shared-job-signal.ts'
import { createStore, useStore } from './use-store.ts'

/**
 * A job's progress, live, for a React component. The job is followed while a component that uses it is mounted; components that show the same job
 * share it. A component is drawn again once a frame at most.
 *
 * With `initial`, a server renders the job and the page goes on from that version.
 *
 * @example
 * ```tsx
 * function Import({ id }: { id: string }) {
 *   const { job, percent } = useJobProgress(id)
 *   return <progress max={100} value={percent}>{job?.title}</progress>
 * }
 * ```
 */
export function useReactJobProgress(jobId: string, options: UseJobProgressOptions = {}): JobProgress {
  // One that is written in the component is another at each render.
  const getToken = useRef(options.getToken).current
  const all = { ...options, getToken, jobId }
  const { key } = parseJobAddress(all)
  const store = useMemo(() => {
    // Not before a page draws it: a server that renders has nothing to follow.
    let signals: JobSignal | undefined
    const read = () => {
      signals ??= getJobSignal(all)
      return readProgress(signals)
    }
    return createStore(read, progressBefore(initialOf(all)))
  }, [key, options.environment])
  return useStore(store)
}
