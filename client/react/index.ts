/** Hooks for React 18 and later, and the types of `<job-progress>` in its JSX. React is the app's own. */
import type {} from './jsx.ts'

export type { GetToken } from '../connection/access/token-source.ts'
export type { ConnectionStatus } from '../connection/connection-state.ts'
export type { JobRow } from '../signals/job-list-signal.ts'
export type { JobProgress } from '../signals/job-progress.ts'
export type { JobError, UseJobProgressOptions } from '../signals/job-signal.ts'
export type { UseJobsOptions } from '../signals/shared-job-list.ts'
export { useReactJobProgress as useJobProgress } from './use-job-progress.ts'
export { type JobRows, useReactJobs as useJobs } from './use-jobs.ts'
