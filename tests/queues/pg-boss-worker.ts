/** A worker of pg-boss in a process of its own, which tests kill, with a bridge: `bun pg-boss-worker.ts POSTGRES_URL`, and the environment of a reporter. */

import { reportPgBoss } from 'milepost/pg-boss'
import { PgBoss } from 'pg-boss'

const { MILEPOST_URL: url = '', MILEPOST_TOKEN: token } = process.env
const boss = new PgBoss({
  connectionString: process.argv[2] ?? '',
  superviseIntervalSeconds: 1,
  monitorIntervalSeconds: 1,
})
boss.on('error', () => {})
await boss.start({ attempts: 10 })
const exports = reportPgBoss(boss, 'exports', { url, token })
await boss.work<{ rows?: number; ms?: number; fails?: number }>(
  'exports',
  { pollingIntervalSeconds: 0.5, localConcurrency: 4 },
  async ([job]) => {
    if (!job) return undefined
    const { rows = 3, ms = 5, fails = 0 } = job.data
    for (let row = 1; row <= rows; row++) {
      exports.progress(job, { done: row, total: rows, unit: 'rows' })
      await Bun.sleep(ms)
      if (job.signal.aborted) throw new Error('Stopped')
    }
    if (job.retryCount < fails) throw new Error(`No good ${job.retryCount + 1}`)
    return { rows }
  },
)
console.log('ready')
