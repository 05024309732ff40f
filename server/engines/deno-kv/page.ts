import type { Patch } from '../../../shared/document/job.ts'
import { buildPage, type ChangedRow } from '../../jobs/paging.ts'
import { type FoundJob, type KvStore, windows } from './store.ts'

/** Rows that are read at once at first; twice as many each time they are not enough. */
const FIRST_ROWS = 128

/**
 * One page of what changed in a job since a version: exactly what it was at the version of the page, although heads and rows are read one
 * after the other and the job may change in between. `undefined` when this life of the job is over.
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
    // A row that has moved on since the head was read is beyond the head's version: until there is none, some may be missing here.
    const isWhole = some.length < limit && last <= version
    // Nor does a life that is over lose its rows before its head.
    if (isWhole || patch.more) return (await store.isAlive(entry)) ? patch : undefined
    if (last > version) {
      const newer = await store.find(id)
      if (newer?.head.life !== entry.head.life) return undefined
      entry = newer
    }
  }
}

/** Rows as they were read, each as it was read last, and of the windows no more than fit. */
class NewestRows {
  readonly #rows = new Map<string, ChangedRow>()

  /** @param rows in the order of their versions, after all that are there */
  add(rows: readonly ChangedRow[]): void {
    for (const changed of rows) {
      const { list, row } = changed
      const name = `${list} ${'id' in row ? row.id : row.version}`
      this.#rows.delete(name)
      this.#rows.set(name, changed)
    }
  }

  /** Those up to a version, in the order of their versions. */
  upTo(version: number): ChangedRow[] {
    const rows = [...this.#rows.values()].filter(({ row }) => row.version <= version)
    const surplus = { errors: -windows.errors.size, logs: -windows.logs.size }
    for (const { list } of rows) if (list === 'errors' || list === 'logs') surplus[list] += 1
    return rows.filter(({ list }) => (list !== 'errors' && list !== 'logs') || surplus[list]-- <= 0)
  }
}
