/** The client's public API: for pages that watch jobs, and for processes that report on them. */

export type { ConnectionStatus } from './connection/connection-state.ts'
export { type Environment, systemEnvironment } from './connection/environment.ts'
export type { GetToken } from './connection/token-source.ts'
export {
  createReporter,
  type JobReporter,
  type NewJob,
  type Reporter,
  type ReporterOptions,
} from './producer/reporter.ts'
export { createJobListSignal, type JobListOptions, type JobListSignal, type JobRow } from './signals/job-list-signal.ts'
export { createJobSignal, type JobError, type JobSignal, type JobSignalOptions } from './signals/job-signal.ts'
export { getJobSignal } from './signals/shared-job-signal.ts'
export { type UseJobProgressOptions, useJobProgress } from './signals/use-job-progress.ts'
export { type UseJobsOptions, useJobs } from './signals/use-jobs.ts'
export { createFormat, type Format } from './text/format.ts'
export type { JobState } from './text/job-language.ts'
export { english, type Language } from './text/language.ts'
export { describeAge, describeJob, type JobFacts, type JobWords, type Tone } from './text/words.ts'
