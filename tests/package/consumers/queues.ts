/** Shows the jobs of queues, with data of their own types. */
import { type Job, Queue, Worker } from 'bullmq'
import { acceptCancels, bullMQJobId, reportBullMQ } from 'milepost/bullmq'
import { type PgBossOptions, pgBossJobId, type ReportedPgBoss, reportPgBoss } from 'milepost/pg-boss'
import { PgBoss } from 'pg-boss'

interface Export {
  rows: number
}

const server = { url: 'https://progress.example', token: 'secret' }
const connection = { host: 'localhost' }

const queue = new Queue<Export>('exports', { connection })
const exports = reportBullMQ(queue, {
  ...server,
  describe: ({ data, id }: Job<Export>) => ({ title: `Export ${id}`, owner: 'alice', metadata: { rows: data.rows } }),
})
acceptCancels(
  new Worker<Export>('exports', async (job, _, signal) => !signal?.aborted && job.data.rows, { connection }),
)
export const page: string = bullMQJobId(await queue.add('Yearly export', { rows: 3 }))
await exports.close()

const boss = new PgBoss('postgres://localhost/app')
const options: PgBossOptions = {
  ...server,
  schema: 'pgboss',
  describe: ({ data }) => ({ metadata: { data } }),
}
const sent: ReportedPgBoss = reportPgBoss(boss, 'exports', options)
await boss.work<Export>('exports', async ([job]) => job && sent.progress(job, { done: 1, total: job.data.rows }))
export const other: string = pgBossJobId({ name: 'exports', id: (await boss.send('exports', { rows: 3 })) ?? '' })
