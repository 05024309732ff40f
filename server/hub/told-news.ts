import type { JobHeader } from '../../shared/document/job.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import { endMessage, headerPatch, patchMessages } from './messages.ts'

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
export type PlacedNews = News & { place: number }

/** The messages that bring a watcher from a version of a job to its newest header. */
export function newsMessages(news: News, from: number): string {
  if ('removed' in news) return endMessage(news.id, news.removed, 'many')
  const job = headerPatch(news.header, news.bulkTouched || from === 0)
  return patchMessages({ from, to: news.header.version, job }, 'header', 'many')
}

/** Jobs whose newest headers are kept for those who are a little behind. */
const HEADERS = 32
/** Jobs that are remembered to have changed. Who lacks more of them begins anew. */
export const MOST_TOLD = 50_000

/** That there were news of a job, in their place; the header is to be read anew. */
export interface Changed {
  id: string
  epoch: string
  place: number
}

/**
 * What an owner's followers were told, in the order of the places, for those who were not there yet: of a few jobs the news themselves, of
 * others that they changed. So a follower that stands still pins no headers.
 */
export class ToldNews {
  readonly #entries = new Map<string, PlacedNews | Changed>()
  /** The jobs whose headers are kept, the oldest news first. */
  readonly #whole = new Set<string>()

  add(entry: PlacedNews): void {
    const { id } = entry
    this.#entries.delete(id)
    this.#whole.delete(id)
    this.#entries.set(id, entry)
    if ('header' in entry) this.#whole.add(id)
  }

  /** The news after a place, oldest first. What is told meanwhile comes too. */
  *after(place: number): Iterable<PlacedNews | Changed> {
    for (const entry of this.#entries.values()) if (entry.place > place) yield entry
  }

  /** Forgets the news up to a place. */
  forget(place: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.place > place) return
      this.#entries.delete(id)
      this.#whole.delete(id)
    }
  }

  /**
   * Lets go of headers, and forgets what is too much.
   *
   * @returns the place up to which all was forgotten; 0 when nothing was
   */
  shed(): number {
    for (const id of this.#whole) {
      if (this.#whole.size <= HEADERS) break
      this.#whole.delete(id)
      const entry = this.#entries.get(id)
      // Stays where it is in the order.
      if (entry) this.#entries.set(id, { id, epoch: entry.epoch, place: entry.place })
    }
    let place = 0
    for (const [id, entry] of this.#entries) {
      if (this.#entries.size <= MOST_TOLD) break
      place = entry.place
      this.#entries.delete(id)
      this.#whole.delete(id)
    }
    return place
  }
}
