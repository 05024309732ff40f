import { type Kept, NOTHING } from '../../jobs/kept.ts'
import { encodeText, type Statement } from './database.ts'
import type { Write } from './store.ts'

/** What creators have, in a table that is written with the jobs. Only those that have not ended are counted, in an index, and only for who is limited in them. */
export class SqliteKept {
  readonly #sql: (text: string) => Statement
  readonly #write: Write

  constructor(sql: (text: string) => Statement, write: Write) {
    this.#sql = sql
    this.#write = write
  }

  of(createdBy: string): Kept {
    const found = this.#sql('SELECT jobs, blocks FROM kept WHERE creator = ?').get(encodeText(createdBy))
    return (found as Kept | undefined) ?? NOTHING
  }

  /** Counts the jobs of a creator that have not ended: the longer, the more there are. */
  countLive(createdBy: string): number {
    const sql = 'SELECT count(*) AS live FROM jobs INDEXED BY jobs_live_by_creator WHERE created_by = ? AND live = 1'
    return (this.#sql(sql).get(encodeText(createdBy)) as { live: number }).live
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
