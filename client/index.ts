/** The client's public API: for pages that watch jobs, with the hooks of Preact, and for processes that report on them. */

export type { GetToken } from './connection/access/token-source.ts'
export type { ConnectionStatus } from './connection/connection-state.ts'
export { type Environment, systemEnvironment } from './connection/environment.ts'
export type { JobFacts } from './connection/job-facts.ts'
export type { JobReporter, NewJob } from './producer/job-reporter.ts'
export { createReporter, type Reporter, type ReporterOptions } from './producer/reporter.ts'
export { createJobListSignal, type JobListOptions, type JobListSignal, type JobRow } from './signals/job-list-signal.ts'
export {
  createJobSignal,
  type JobError,
  type JobSignal,
  type JobSignalOptions,
  type UseJobProgressOptions,
} from './signals/job-signal.ts'
export type { UseJobsOptions } from './signals/shared-job-list.ts'
export { getJobSignal } from './signals/shared-job-signal.ts'
export { useJobProgress } from './signals/use-job-progress.ts'
export { useJobs } from './signals/use-jobs.ts'
export { createFormat, type Format } from './text/format.ts'
export type { JobState } from './text/job-language.ts'
export { english, type Language } from './text/language.ts'
export { describeAge, describeJob, type JobWords, type Tone } from './text/words.ts'
