/** Hooks for React 18 and later, and the types of `<job-progress>` in its JSX. React is the app's own. */
import type { DetailedHTMLProps, HTMLAttributes } from 'react'
import type { JobProgressAttributes } from '../element/attributes.ts'
import type { JobProgressElement } from '../element/job-progress-element.ts'

export type { GetToken } from '../connection/access/token-source.ts'
export type { ConnectionStatus } from '../connection/connection-state.ts'
export type { JobRow } from '../signals/job-list-signal.ts'
export type { JobProgress } from '../signals/job-progress.ts'
export type { JobError, UseJobProgressOptions } from '../signals/job-signal.ts'
export type { UseJobsOptions } from '../signals/shared-job-list.ts'
export { useReactJobProgress as useJobProgress } from './use-job-progress.ts'
export { type JobRows, useReactJobs as useJobs } from './use-jobs.ts'

/** Declared here, because declarations of an augmented module can't name types of the module itself. */
type ElementProps = DetailedHTMLProps<HTMLAttributes<JobProgressElement>, JobProgressElement> & JobProgressAttributes

// In the entry itself: the import of a module without exports is not part of its declarations.
declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'job-progress': ElementProps
    }
  }
}
