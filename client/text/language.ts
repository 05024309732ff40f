import type { ItemStatus } from '../../shared/document/job.ts'
import { type JobLanguage, jobEnglish } from './job-language.ts'

/** The texts of one language. */
export interface Language extends JobLanguage {
  /** Items and steps by their status. */
  rows: Record<ItemStatus, string>
  startedAgo(duration: string): string
  createdAgo(duration: string): string
  ago(duration: string): string
  justNow: string
  endedAndTook(ended: string, duration: string): string
}

/** English; the model for other languages. */
export const english: Language = {
  ...jobEnglish,
  rows: { pending: 'Waiting', running: 'Running', succeeded: 'Done', failed: 'Failed', skipped: 'Skipped' },
  startedAgo: (duration) => `started ${duration} ago`,
  createdAgo: (duration) => `created ${duration} ago`,
  ago: (duration) => `${duration} ago`,
  justNow: 'just now',
  endedAndTook: (ended, duration) => `${ended}, took ${duration}`,
}
