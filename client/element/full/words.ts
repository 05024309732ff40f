import type { ItemStatus } from '../../../shared/document/job.ts'

/** The texts of the variant `full`. */
export const fullWords = {
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  cancelSure: 'Cancel this job? What is done stays done.',
  cancelYes: 'Cancel the job',
  cancelNo: 'Keep it running',
  steps: 'Steps',
  items: 'Items',
  errors: 'Errors',
  log: 'Log',
  more: (count: string) => `and ${count} more`,
  rows: {
    pending: 'Waiting',
    running: 'Running',
    succeeded: 'Done',
    failed: 'Failed',
    skipped: 'Skipped',
  } satisfies Record<ItemStatus, string>,
  /** A heading and how many there are. */
  counted: (name: string, count: string) => `${name} (${count})`,
}
