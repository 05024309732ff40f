import type { JobHeader } from '../../../shared/document/job.ts'
import type { Clock } from '../../../shared/time/clock.ts'
import type { Page } from '../../jobs/engine.ts'
import { encode } from '../stream/event-stream.ts'
import { snapshotMessages } from './sent-updates.ts'

/** Most pages kept, each of about `STEP_BYTES`: followers that join together list about the same page. */
const MAX_PAGES = 4
/** How long a page is shared: milliseconds. Short, because it is stale when a wake-up was lost. */
const PAGE_MS = 1_000

/** A page of an owner's jobs, encoded at most once for all followers that are sent the whole of it. */
export class ListedPage {
  readonly rows: readonly JobHeader[]
  readonly nextCursor: string | undefined
  #bytes: Uint8Array | undefined

  constructor({ rows, nextCursor }: Page<JobHeader>) {
    this.rows = rows
    this.nextCursor = nextCursor
  }

  /** Encodes the jobs that a follower lacks; `undefined` if it lacks none. */
  encode(isLacking: (header: JobHeader) => boolean): Uint8Array | undefined {
    const lacking = this.rows.filter(isLacking)
    if (lacking.length === 0) return undefined
    if (lacking.length < this.rows.length) return encodeAll(lacking)
    this.#bytes ??= encodeAll(this.rows)
    return this.#bytes
  }
}

const encodeAll = (headers: readonly JobHeader[]) => encode(headers.map(snapshotMessages).join(''))

interface Kept {
  page: Promise<ListedPage>
  /** Its number in the order of reads. */
  read: number
  until: number
}

/**
 * The newest pages that followers of a channel have read, for others that list at the same time.
 *
 * A page serves followers that joined before it was read: they are told of all changes since.
 */
export class ListedPages {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  #reads = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Number of reads so far, by which a follower notes when it joined. */
  get reads(): number {
    return this.#reads
  }

  /**
   * Reads a page, or returns one that was read after a follower joined.
   *
   * @param joined number of reads at that time
   * @param isShared whether to keep the page for other followers
   */
  read(key: string, joined: number, isShared: boolean, read: () => Promise<Page<JobHeader>>): Promise<ListedPage> {
    const now = this.#clock.now()
    const kept = this.#kept.get(key)
    if (kept && kept.read > joined && now < kept.until) return kept.page
    this.#reads += 1
    const page = read().then((answer) => new ListedPage(answer))
    if (isShared) this.#keep(key, { page, read: this.#reads, until: now + PAGE_MS })
    return page
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const oldest = this.#kept.size > MAX_PAGES ? this.#kept.keys().next().value : undefined
    if (oldest !== undefined) this.#kept.delete(oldest)
  }

  clear(): void {
    this.#kept.clear()
  }
}
