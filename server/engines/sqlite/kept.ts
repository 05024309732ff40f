import type { Standing } from '../../jobs/kept.ts'
import { encodeText, type Statement } from './database.ts'
import type { Write } from './store.ts'

/** What creators have, in a table that is written with the jobs: nothing is ever counted anew but those that have not ended, in an index. */
export class SqliteKept {
  readonly #sql: (text: string) => Statement
  readonly #write: Write

  constructor(sql: (text: string) => Statement, write: Write) {
    this.#sql = sql
    this.#write = write
  }

  of(createdBy: string): Standing {
    const creator = encodeText(createdBy)
    const countLive =
      'SELECT count(*) AS live FROM jobs INDEXED BY jobs_live_by_creator WHERE created_by = ? AND live = 1'
    const { live } = this.#sql(countLive).get(creator) as { live: number }
    const kept = this.#sql('SELECT jobs, blocks FROM kept WHERE creator = ?').get(creator) as
      | Omit<Standing, 'live'>
      | undefined
    return { live, jobs: kept?.jobs ?? 0, blocks: kept?.blocks ?? 0 }
  }

  /** @param jobs 1 for a job that comes, -1 for one that goes, 0 for one that changes */
  add(createdBy: string, jobs: -1 | 0 | 1, blocks: number): void {
    if (jobs === 0 && blocks === 0) return
    const creator = encodeText(createdBy)
    const sql = `INSERT INTO kept (creator, jobs, blocks) VALUES (?, ?, ?)
      ON CONFLICT (creator) DO UPDATE SET jobs = jobs + excluded.jobs, blocks = blocks + excluded.blocks`
    this.#write(sql, creator, jobs, blocks)
    if (jobs < 0) this.#write('DELETE FROM kept WHERE creator = ? AND jobs <= 0', creator)
  }
}
