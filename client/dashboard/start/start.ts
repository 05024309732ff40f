/** What opens when someone asks for it, on any page: ways to start a job, and to go elsewhere. */
export { Palette } from '../palette/palette.tsx'
export { EmptyJobs } from './empty-jobs.tsx'
export { StartDialog } from './start-dialog.tsx'
