import type { Cursor } from '../../../../shared/document/cursor.ts'
import type { Patch } from '../../../../shared/document/job.ts'
import type { StoredJob, View } from '../../../jobs/engine.ts'
import { buildPage, type ChangedRow } from '../../../jobs/paging/paging.ts'
import { HEAD_FIELDS } from '../scripts/script.ts'
import { scripts } from '../scripts/scripts.ts'
import type { RedisStore } from '../store.ts'
import { type LoadReply, parseRow, stateIn } from './known-job.ts'

/** Bytes of rows that are read for a page when there will be several. */
const SMALL_PAGE_BYTES = 64 * 1_024

/** Reads a page of changes in one round trip: the script that reads the rows also reads the head. */
export async function readChanges(
  store: RedisStore,
  id: string,
  cursor: Cursor | undefined,
  { view, maxBytes }: { view: View; maxBytes: number },
): Promise<{ job: StoredJob; patch: Patch } | undefined> {
  const place = store.placeOf(id)
  const { keys } = place
  for (let factor = 1; ; factor *= 2) {
    const bytes = view === 'all' ? [factor * maxBytes, factor * SMALL_PAGE_BYTES] : [0, 0]
    const reply = await store.nodes.read<LoadReply>(
      place,
      scripts.page,
      [keys.job(id), keys.rows(id), keys.versions(id)],
      [cursor?.epoch ?? '', `${cursor?.version ?? 0}`, ...bytes.map(String)],
    )
    const state = stateIn(reply)
    if (!state) return undefined
    const [from, isComplete] = reply.slice(HEAD_FIELDS).map(Number)
    const rows = new Rows(reply.slice(HEAD_FIELDS + 2), isComplete === 1)
    const patch = buildPage(state.job, from ?? 0, rows, maxBytes)
    // Rows may be shorter in JSON than a page counts them, never by much: then there were too few.
    if (!rows.wereTooFew) return { job: state.job, patch }
  }
}

/** Rows in the order of their versions, parsed when they are needed. */
class Rows implements Iterable<ChangedRow> {
  wereTooFew = false
  readonly #texts: LoadReply
  readonly #isComplete: boolean

  constructor(texts: LoadReply, isComplete: boolean) {
    this.#texts = texts
    this.#isComplete = isComplete
  }

  *[Symbol.iterator](): Iterator<ChangedRow> {
    for (let at = 0; at < this.#texts.length; at += 2) yield parseRow(this.#texts[at] ?? '', this.#texts[at + 1] ?? '')
    this.wereTooFew = !this.#isComplete
  }
}
