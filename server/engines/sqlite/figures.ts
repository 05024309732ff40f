import { type JobStatus, jobStatuses } from '../../../shared/document/job.ts'
import { MAX_CREATORS, MAX_KINDS, type StoreFigures } from '../../jobs/engine.ts'
import { BLOCK_BYTES } from '../../jobs/kept.ts'
import { type Database, encodeText, type SqlValue } from './database.ts'

/**
 * Counts what a file has, from indexes, in steps of a few milliseconds.
 *
 * @param most highest number to count to
 * @param pause awaited between two steps
 */
export async function readFigures(db: Database, most: number, pause: () => Promise<void>): Promise<StoreFigures> {
  const all = (sql: string, ...values: SqlValue[]) => db.prepare(sql).all(...values) as Record<string, SqlValue>[]
  const number = (sql: string, ...values: SqlValue[]) => Number(Object.values(all(sql, ...values)[0] ?? {})[0])
  const countJobs = (where: string, value: string) =>
    number(`SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY ${where} LIMIT ?)`, value, most)

  const byStatus: Partial<Record<JobStatus, number>> = {}
  for (const status of jobStatuses) {
    byStatus[status] = countJobs('jobs_all_by_status WHERE status = ?', status)
    await pause()
  }
  const byKind: StoreFigures['byKind'] = []
  for (let kind = ''; byKind.length < MAX_KINDS; await pause()) {
    const [next] = all('SELECT kind FROM jobs INDEXED BY jobs_all_by_kind WHERE kind > ? ORDER BY kind LIMIT 1', kind)
    if (!next) break
    kind = String(next.kind)
    byKind.push({ kind: JSON.parse(kind), jobs: countJobs('jobs_all_by_kind WHERE kind = ?', kind) })
  }
  const largest = all(
    'SELECT creator, jobs, blocks FROM (SELECT * FROM kept LIMIT ?) ORDER BY blocks DESC, creator LIMIT ?',
    most,
    MAX_CREATORS,
  )
  const creators: StoreFigures['creators'] = []
  for (const { creator, jobs, blocks } of largest) {
    await pause()
    const sub: string = JSON.parse(String(creator))
    const live = countJobs('jobs_live_by_creator WHERE created_by = ? AND live = 1', encodeText(sub))
    creators.push({ sub, live, jobs: Number(jobs), bytes: Number(blocks) * BLOCK_BYTES })
  }
  return { bytes: number('PRAGMA page_count') * number('PRAGMA page_size'), byStatus, byKind, creators }
}
