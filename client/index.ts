/** The client's public API: for pages that watch jobs, and for processes that report on them. */

export type { ConnectionStatus } from './connection-state.ts'
export { type Environment, systemEnvironment } from './environment.ts'
export { createFormat, type Format } from './format.ts'
export type { JobState } from './job-language.ts'
export { createJobListSignal, type JobListOptions, type JobListSignal, type JobRow } from './job-list-signal.ts'
export { createJobSignal, type JobError, type JobSignal, type JobSignalOptions } from './job-signal.ts'
export { english, type Language } from './language.ts'
export { createReporter, type JobReporter, type NewJob, type Reporter, type ReporterOptions } from './reporter.ts'
export { getJobSignal } from './shared-job-signal.ts'
export { type UseJobProgressOptions, useJobProgress } from './use-job-progress.ts'
export { describeAge, describeJob, type JobFacts, type JobWords, type Tone } from './words.ts'
