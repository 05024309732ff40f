/** A worker of BullMQ in a process of its own, which tests kill: `bun bullmq-worker.ts REDIS_PORT CONCURRENCY`. */
import { Worker } from 'bullmq'
import { acceptCancels } from 'milepost/bullmq'

const [port, concurrency] = process.argv.slice(2).map(Number)

const worker = new Worker(
  'exports',
  async (job, _, signal) => {
    const { rows = 3, ms = 5, fails = 0 } = job.data as { rows?: number; ms?: number; fails?: number }
    for (let row = 1; row <= rows; row++) {
      await job.updateProgress({ done: row, total: rows, unit: 'rows' })
      await Bun.sleep(ms)
      if (signal?.aborted) throw new Error('Stopped')
    }
    if (job.attemptsMade < fails) throw new Error(`No good ${job.attemptsMade + 1}`)
    return { rows }
  },
  {
    connection: { port: port ?? 0 },
    concurrency: concurrency ?? 1,
    lockDuration: 1_000,
    stalledInterval: 500,
    maxStalledCount: 2,
  },
)
worker.on('error', () => {})
acceptCancels(worker)
await worker.waitUntilReady()
console.log('ready')
