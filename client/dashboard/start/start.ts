/** What starts a job: loaded when it is shown. */
export { EmptyJobs } from './empty-jobs.tsx'
export { StartDialog } from './start-dialog.tsx'
