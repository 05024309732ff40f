import { useMemo, useRef } from 'react'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import type { JobListSignal, JobRow } from '../signals/job-list-signal.ts'
import type { JobError } from '../signals/job-signal.ts'
import { jobListOf, type UseJobsOptions } from '../signals/shared-job-list.ts'
import { createStore, useStore } from './use-store.ts'

/** A list of jobs at one moment. */
export interface JobRows {
  /** Newest first. A row is the same object while nothing in it changes, so a component in `memo` is drawn again only then. */
  readonly rows: readonly JobRow[]
  /** Whether the newest jobs have been loaded. */
  readonly ready: boolean
  /** Whether there are older jobs to load. */
  readonly hasMore: boolean
  /** Whether older jobs are being loaded. */
  readonly loading: boolean
  readonly error: JobError | undefined
  readonly connection: ConnectionStatus
}

/** Before anything is known. */
const NONE: JobRows = {
  rows: [],
  ready: false,
  hasMore: false,
  loading: false,
  error: undefined,
  connection: 'connecting',
}

/**
 * A list of jobs, live, for a React component. Components with the same jobs share it, and its connection, whatever they leave out.
 *
 * @returns the list, and `loadMore`, which loads older jobs and never rejects
 * @example
 * ```tsx
 * function Running() {
 *   const { rows } = useJobs({ status: 'running' })
 *   return rows.map((row) => <Row key={row.job.id} row={row} />)
 * }
 * ```
 */
export function useReactJobs(options: UseJobsOptions = {}): JobRows & { loadMore(): Promise<void> } {
  // One that is written in the component is another at each render.
  const getToken = useRef(options.getToken).current
  const { make, dependencies } = jobListOf({ ...options, getToken })
  const { store, loadMore } = useMemo(() => {
    let list: JobListSignal | undefined
    const open = () => {
      list ??= make()
      return list
    }
    return { store: createStore(() => jobsOf(open()), NONE), loadMore: () => open().loadMore() }
  }, dependencies)
  return { ...useStore(store), loadMore }
}

function jobsOf({ rows, ready, hasMore, loading, error, connection }: JobListSignal): JobRows {
  return {
    rows: rows.value,
    ready: ready.value,
    hasMore: hasMore.value,
    loading: loading.value,
    error: error.value,
    connection: connection.value,
  }
}
