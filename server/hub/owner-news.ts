import type { JobHeader } from '../../shared/document/job.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import { headerPatch } from './header-patch.ts'
import { endMessage, patchMessages } from './messages.ts'

/** What became of one of an owner's jobs. */
export type News = { id: string; epoch: string } & (
  | {
      header: JobHeader
      /** The version that those who have all earlier news are at; 0 when they don't know this life of the job. */
      from: number
      /** Whether `result` or `metadata` may have changed since. */
      bulkTouched: boolean
    }
  | { removed: EndReason }
)

/** News in its place in the order in which a channel was told. */
export type Entry = News & { place: number }

/** The messages that bring a watcher from a version of a job to its newest header. */
export function newsMessages(news: News, from: number): string {
  if ('removed' in news) return endMessage(news.id, news.removed, 'many')
  const job = headerPatch(news.header, news.bulkTouched || from === 0)
  return patchMessages({ from, to: news.header.version, job }, 'header', 'many')
}
