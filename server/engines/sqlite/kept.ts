import { type Kept, NOTHING } from '../../jobs/kept.ts'
import { encodeText, type Statement } from './database.ts'
import type { Write } from './store.ts'

/** Jobs and blocks per creator, in a table updated with each job. Live jobs are counted from an index, only for creators with a limit. */
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

  /** Counts a creator's live jobs, in time linear in their number. */
  countLive(createdBy: string): number {
    const sql = 'SELECT count(*) AS live FROM jobs INDEXED BY jobs_live_by_creator WHERE created_by = ? AND live = 1'
    return (this.#sql(sql).get(encodeText(createdBy)) as { live: number }).live
  }

  /** @param jobs 1 for a new job, -1 for a removed one, 0 for a changed one */
  add(createdBy: string, jobs: -1 | 0 | 1, blocks: number): void {
    if (jobs === 0 && blocks === 0) return
    const creator = encodeText(createdBy)
    const sql = `INSERT INTO kept (creator, jobs, blocks) VALUES (?, ?, ?)
      ON CONFLICT (creator) DO UPDATE SET jobs = jobs + excluded.jobs, blocks = blocks + excluded.blocks`
    this.#write(sql, creator, jobs, blocks)
    if (jobs < 0) this.#write('DELETE FROM kept WHERE creator = ? AND jobs <= 0', creator)
  }
}
