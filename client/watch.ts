/** Jobs for pages of any framework: as signals, by callback, and as an async iterable. Needs no Preact. */

export type { GetToken } from './connection/access/token-source.ts'
export type { ConnectionStatus } from './connection/connection-state.ts'
export { createJobListSignal, type JobListOptions, type JobListSignal, type JobRow } from './signals/job-list-signal.ts'
export type { JobProgress } from './signals/job-progress.ts'
export { createJobSignal, type JobError, type JobSignal, type JobSignalOptions } from './signals/job-signal.ts'
export { type JobUpdatesOptions, jobUpdates } from './signals/job-updates.ts'
export { getJobSignal } from './signals/shared-job-signal.ts'
export { watchJob } from './signals/watch-job.ts'
