import type { Patch } from '../../../shared/document/job.ts'
import { buildPage, type ChangedRow } from '../../jobs/paging/paging.ts'
import { type FoundJob, type KvStore, windows } from './store.ts'

/** Rows of the first read; each further read doubles the number. */
const FIRST_ROWS = 128

/**
 * One page of the changes since a version, consistent at the version of the page although head and rows are read separately and the job may
 * change in between. `undefined` when this life of the job has ended.
 */
export async function readPage(
  store: KvStore,
  first: FoundJob,
  from: number,
  maxBytes: number,
): Promise<Patch | undefined> {
  const rows = new NewestRows()
  let entry = first
  let last = from
  for (let limit = FIRST_ROWS; ; limit *= 2) {
    const some = await store.changedSince(entry, last, limit)
    rows.add(some)
    last = some.at(-1)?.row.version ?? last
    const { id, version } = entry.job.header
    const patch = buildPage(entry.job, from, rows.upTo(version), maxBytes)
    // A row changed after the head was read has a version beyond the head's, so its old state is missing: read a newer head.
    const isWhole = some.length < limit && last <= version
    // A removal replaces the head before rows are deleted: if the life still exists, no row was missing.
    if (isWhole || patch.more) return (await store.isAlive(entry)) ? patch : undefined
    if (last > version) {
      const newer = await store.find(id)
      if (newer?.head.life !== entry.head.life) return undefined
      entry = newer
    }
  }
}

/** The latest read state of each row, cut to the windows' sizes. */
class NewestRows {
  readonly #rows = new Map<string, ChangedRow>()

  /** @param rows by version, all newer than those added before */
  add(rows: readonly ChangedRow[]): void {
    for (const changed of rows) {
      const { list, row } = changed
      const name = `${list} ${'id' in row ? row.id : row.version}`
      this.#rows.delete(name)
      this.#rows.set(name, changed)
    }
  }

  /** Rows up to a version, by version. */
  upTo(version: number): ChangedRow[] {
    const rows = [...this.#rows.values()].filter(({ row }) => row.version <= version)
    const surplus = { errors: -windows.errors.size, logs: -windows.logs.size }
    for (const { list } of rows) if (list === 'errors' || list === 'logs') surplus[list] += 1
    return rows.filter(({ list }) => (list !== 'errors' && list !== 'logs') || surplus[list]-- <= 0)
  }
}
