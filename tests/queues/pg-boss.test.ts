import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { pgBossJobId, reportPgBoss } from 'milepost/pg-boss'
import { PgBoss, type SendOptions } from 'pg-boss'
import type { Job } from '../../shared/document/job.ts'
import { blocks } from '../examples/blocks.ts'
import { ApiClient } from '../support/api-client.ts'
import { PostgresServer } from '../support/postgres-server.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { QueueProcess } from './queue-process.ts'

setDefaultTimeout(120_000)

const missing = await PostgresServer.missing()

describe.skipIf(missing !== undefined)('reportPgBoss, with real workers', () => {
  let server: ServerProcess
  let ada: ApiClient
  let postgres: PostgresServer
  let boss: PgBoss
  let env: Record<string, string>
  let workers: QueueProcess[] = []

  beforeAll(async () => {
    server = await ServerProcess.start()
    const token = await accessToken('ada')
    ada = new ApiClient(server.url, token)
    env = { MILEPOST_URL: server.url, MILEPOST_TOKEN: token }
    postgres = await PostgresServer.start()
    boss = new PgBoss({ connectionString: postgres.url, supervise: false, schedule: false })
    boss.on('error', () => {})
    await boss.start()
    await boss.createQueue('exports', { retryLimit: 2, retryDelay: 0, heartbeatSeconds: 10, expireInSeconds: 3 })
  })
  afterEach(async () => {
    for (const worker of workers) await worker.kill()
    workers = []
  })
  afterAll(async () => {
    await boss.stop({ graceful: false })
    await postgres[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function startWorker(): Promise<void> {
    workers.push(await QueueProcess.start('pg-boss-worker.ts', [postgres.url], env))
  }
  const send = async (data: object, options?: SendOptions) => ({
    name: 'exports',
    id: (await boss.send('exports', data, options)) ?? '',
  })
  const stateOf = async ({ id }: { id: string }) => (await boss.findJobs('exports', { id }))[0]?.state

  const ended = (job: { name: string; id: string }) =>
    ada.until(pgBossJobId(job), ({ endedAt }) => endedAt !== undefined)

  test('shows jobs from when they are sent to their end, and cancels them', async () => {
    const bridge = reportPgBoss(boss, 'exports', {
      url: server.url,
      token: env.MILEPOST_TOKEN,
      describe: () => ({ title: 'Export' }),
    })
    try {
      const later = await send({}, { startAfter: 600 })
      const waiting = await ada.until(pgBossJobId(later), ({ message }) => message !== undefined)
      expect([waiting.status, waiting.title]).toEqual(['pending', 'Export'])
      expect(waiting.message).toStartWith('Begins after ')
      await startWorker()
      const [done, retried, failing, long] = [
        await send({ rows: 5 }),
        await send({ fails: 1 }),
        await send({ fails: 9 }),
        await send({ rows: 1_000, ms: 50 }),
      ]
      expect(await ended(done)).toMatchObject({
        status: 'completed',
        progress: { done: 5, total: 5, unit: 'rows' },
        result: { rows: 5 },
      })
      expect(await ended(retried)).toMatchObject({ status: 'completed', attempt: 2 })
      const failed = await ended(failing)
      expect([failed.status, failed.message, failed.attempt, failed.errors.length]).toEqual([
        'failed',
        'No good 3',
        3,
        2,
      ])
      await ada.until(pgBossJobId(long), ({ progress }) => progress.done > 0)
      for (const job of [later, long]) {
        await ada.operate(pgBossJobId(job), 'cancel')
        expect((await ended(job)).status).toBe('cancelled')
        while ((await stateOf(job)) !== 'cancelled') await Bun.sleep(50)
      }
      await boss.retry('exports', failing.id)
      const again = `${pgBossJobId(failing)}.${(failed.metadata as { queue: { ended: number } }).queue.ended.toString(36)}`
      for (;;) {
        const response = await ada.request('GET', `api/jobs/${again}`)
        if (response.status === 200 && ((await response.json()) as Job).retryOf === pgBossJobId(failing)) break
        await Bun.sleep(50)
      }
    } finally {
      await bridge.close()
    }
  })

  test('is in languages.md, whose code reports as it stands', async () => {
    const code = (await blocks('server/docs/languages.md', 'ts')).find((block) => block.includes('reportPgBoss')) ?? ''
    const given = `const database = '${postgres.url}'
const url = '${server.url}'
const token = '${env.MILEPOST_TOKEN}'
console.log('ready')
`
    workers.push(await QueueProcess.run(`${given}${code}`))
    const job = await ended(await send({}))
    expect([job.status, job.progress]).toEqual(['completed', { done: 100, total: 100, unit: 'rows' }])
  })

  test('shows the final state of each job when workers, with their bridges, Postgres and the server are killed', async () => {
    await startWorker()
    await startWorker()
    const jobs: { name: string; id: string }[] = []
    const faults = [
      () => workers.shift()?.kill(),
      async () => {
        await postgres.kill()
        await postgres.restart()
      },
      async () => {
        await server.kill()
        await server.restart()
      },
    ]
    for (const fault of faults) {
      for (let n = 0; n < 6; n++) jobs.push(await send({ rows: 2, ms: 100, fails: n % 3 === 0 ? 1 : 0 }))
      while ((await Promise.all(jobs.map(stateOf))).every((state) => state !== 'active')) await Bun.sleep(20)
      await fault()
      await startWorker()
    }
    for (const job of jobs) {
      const { status, attempt = 1, errors } = await ended(job)
      expect([job.id, await stateOf(job)]).toEqual([job.id, status])
      expect([job.id, errors.length]).toEqual([job.id, attempt - 1])
    }
  })
})
