import type { ItemStatus } from '../shared/job.ts'
import { type JobLanguage, jobEnglish } from './job-language.ts'

/** Every word of one language. Another language is another object of this type. */
export interface Language extends JobLanguage {
  /** Items and steps by their status. */
  rows: Record<ItemStatus, string>
  startedAgo(duration: string): string
  createdAgo(duration: string): string
  ago(duration: string): string
  justNow: string
  endedAndTook(ended: string, duration: string): string
}

/** English, and what every other language has to say. */
export const english: Language = {
  ...jobEnglish,
  rows: { pending: 'Waiting', running: 'Running', succeeded: 'Done', failed: 'Failed', skipped: 'Skipped' },
  startedAgo: (duration) => `started ${duration} ago`,
  createdAgo: (duration) => `created ${duration} ago`,
  ago: (duration) => `${duration} ago`,
  justNow: 'just now',
  endedAndTook: (ended, duration) => `${ended}, took ${duration}`,
}
