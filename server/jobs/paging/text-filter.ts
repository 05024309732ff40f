import type { JobHeader } from '../../../shared/document/job.ts'
import { matchesText } from '../../../shared/document/matches-text.ts'
import type { ListQuery, Page } from '../engine.ts'

/** Most jobs that one request searches. What is beyond is for the next page. */
export const MOST_SEARCHED = 2_000
/** Jobs per read of the list: the most that a page may have. */
const READ = 100

/**
 * Searches a list for a text, step by step: no engine has an index of words, and a search must not read a store of millions in one request.
 */
export class TextFilter {
  readonly #text: string
  readonly #list: (query: ListQuery) => Promise<Page<JobHeader>>
  #searched = 0

  /** @param list reads a page of the list that is searched */
  constructor(text: string, list: (query: ListQuery) => Promise<Page<JobHeader>>) {
    this.#text = text
    this.#list = list
  }

  /** Whether this request has searched all that it may. */
  get isSpent(): boolean {
    return this.#searched >= MOST_SEARCHED
  }

  /** Searches the next jobs of the list. Returns those that match, at most `query.limit`, maybe none; `nextCursor` is after what was searched. */
  async read(query: ListQuery): Promise<Page<JobHeader>> {
    let page = await this.#list({ ...query, limit: READ })
    let found = this.#found(page.rows)
    // There are more than asked for: another read gives the cursor before the first that is left over. By then a job may be new in the list.
    for (let last = found[query.limit]; last !== undefined; last = found[query.limit]) {
      page = await this.#list({ ...query, limit: page.rows.indexOf(last) })
      found = this.#found(page.rows)
    }
    this.#searched += page.rows.length
    return { ...page, rows: found }
  }

  #found(rows: readonly JobHeader[]): JobHeader[] {
    return rows.filter((header) => matchesText(header, this.#text))
  }
}
