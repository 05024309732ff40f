import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { FlowProducer, type Job, Queue } from 'bullmq'
import { bullMQJobId, reportBullMQ } from 'milepost/bullmq'
import { createReporter } from 'milepost/client'
import type { Job as Document } from '../../shared/document/job.ts'
import { blocks } from '../examples/blocks.ts'
import { SeededRandom } from '../seeded-random.ts'
import { ApiClient } from '../support/api-client.ts'
import { RedisServer } from '../support/redis-server.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { QueueProcess } from './queue-process.ts'

setDefaultTimeout(120_000)

const REDIS = '/usr/bin/redis-server'

describe.skipIf(!existsSync(REDIS))('reportBullMQ, with real workers', () => {
  let server: ServerProcess
  let ada: ApiClient
  let redis: RedisServer
  let queue: Queue
  let env: Record<string, string>
  let processes: QueueProcess[]

  beforeAll(async () => {
    server = await ServerProcess.start()
    const token = await accessToken('ada')
    ada = new ApiClient(server.url, token)
    env = { MILEPOST_URL: server.url, MILEPOST_TOKEN: token }
    redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
    queue = new Queue('exports', { connection: { port: redis.port } })
    queue.on('error', () => {})
  })
  beforeEach(() => {
    processes = []
  })
  afterEach(async () => {
    for (const one of processes) await one.kill()
  })
  afterAll(async () => {
    await queue.close()
    await redis[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function start(file: 'bullmq-worker.ts' | 'bullmq-bridge.ts'): Promise<QueueProcess> {
    const started = await QueueProcess.start(file, [redis.port, 4], env)
    processes.push(started)
    return started
  }

  const ended = (job: Job) => ada.until(bullMQJobId(job), ({ endedAt }) => endedAt !== undefined)
  const running = (job: Job) => ada.until(bullMQJobId(job), ({ status }) => status === 'running')

  test('shows jobs from when they are added to their end, whoever works on them', async () => {
    const { url } = server
    const token = env.MILEPOST_TOKEN
    const bridge = reportBullMQ(queue, {
      url,
      token,
      describe: ({ data: { year } }) => (year ? { metadata: { year } } : {}),
    })
    try {
      const delayed = await queue.add('Later', {}, { delay: 600_000 })
      const waiting = await ada.until(bullMQJobId(delayed), () => true)
      expect([waiting.status, waiting.title, waiting.kind]).toEqual(['pending', 'Later', 'exports'])
      await ada.until(bullMQJobId(delayed), ({ message }) => message?.startsWith('Begins after ') === true)
      await start('bullmq-worker.ts')
      const done = await queue.add('Yearly export', { rows: 5, year: 2026 })
      const retried = await queue.add('Retried', { fails: 1 }, { attempts: 2, backoff: 50 })
      const failing = await queue.add('Failing', { fails: 9 }, { attempts: 2 })
      const removed = await queue.add('Removed', { rows: 4 }, { removeOnComplete: true })
      expect(await ended(done)).toMatchObject({
        status: 'completed',
        title: 'Yearly export',
        metadata: { year: 2026, queue: { name: 'exports', job: done.id } },
        progress: { done: 5, total: 5, unit: 'rows' },
        result: { rows: 5 },
        errors: [],
      })
      const again = await ended(retried)
      expect([again.status, again.attempt, again.errors.map((error) => error.message)]).toEqual([
        'completed',
        2,
        ['No good 1'],
      ])
      const failed = await ended(failing)
      expect([failed.status, failed.message, failed.attempt]).toEqual(['failed', 'No good 2', 2])
      expect(failed.errors.map((error) => error.message)).toEqual(['No good 1'])
      expect(await ended(removed)).toMatchObject({
        status: 'completed',
        progress: { done: 4, total: 4 },
        result: { rows: 4 },
      })
      await delayed.remove()
      expect(await ended(delayed)).toMatchObject({ status: 'cancelled', message: 'It was removed from the queue' })

      const flow = new FlowProducer({ connection: { port: redis.port } })
      const { job: parent, children: [child] = [] } = await flow.add({
        name: 'All',
        queueName: 'exports',
        children: [{ name: 'One', queueName: 'exports' }],
      })
      await flow.close()
      expect((await ended(parent)).status).toBe('completed')
      if (child) expect(await ended(child.job)).toMatchObject({ title: 'One', parentId: bullMQJobId(parent) })
      const { jobs } = await ada.json<{ jobs: Document[] }>(200, 'GET', `api/jobs?parent=${bullMQJobId(parent)}`)
      expect(jobs).toHaveLength(1)
    } finally {
      await bridge.close()
    }
  })

  test('goes on with a job that is started again after its end in another document', async () => {
    await start('bullmq-worker.ts')
    const bridge = reportBullMQ(queue, { url: server.url, token: env.MILEPOST_TOKEN })
    try {
      const first = await queue.add('Nightly', {}, { jobId: 'nightly', removeOnComplete: true })
      expect((await ended(first)).status).toBe('completed')
      const second = await queue.add('Nightly', { fails: 1 }, { jobId: 'nightly' })
      const id = `${bullMQJobId(second)}.${second.timestamp.toString(36)}`
      const failed = await ada.until(id, ({ endedAt }) => endedAt !== undefined)
      expect([failed.status, failed.retryOf]).toEqual(['failed', bullMQJobId(first)])
      await second.retry('failed')
      const { ended: mark } = (failed.metadata as { queue: { ended: number } }).queue
      const retried = await ada.until(
        `${bullMQJobId(second)}.${mark.toString(36)}`,
        ({ endedAt }) => endedAt !== undefined,
      )
      expect([retried.status, retried.retryOf, retried.attempt ?? 1]).toEqual(['completed', id, 1])
    } finally {
      await bridge.close()
    }
  })

  test('uses the document that an app has made for a job', async () => {
    const reporter = createReporter({ url: server.url, token: env.MILEPOST_TOKEN })
    reporter.create({ id: 'exports.made', kind: 'reports', title: 'By the app' })
    await reporter.close()
    await start('bullmq-worker.ts')
    const bridge = reportBullMQ(queue, { url: server.url, token: env.MILEPOST_TOKEN })
    try {
      const job = await queue.add('By the queue', {}, { jobId: 'made' })
      expect(await ended(job)).toMatchObject({ status: 'completed', title: 'By the app', kind: 'reports' })
    } finally {
      await bridge.close()
    }
  })

  test('cancels jobs that wait, that run, and that were cancelled while no bridge was there', async () => {
    await start('bullmq-worker.ts')
    const bridge = await start('bullmq-bridge.ts')
    const long = await queue.add('Long', { rows: 10_000 }, { attempts: 3 })
    const waiting = await queue.add('Waiting', {}, { delay: 600_000 })
    await running(long)
    await ada.until(bullMQJobId(waiting), () => true)
    await ada.operate(bullMQJobId(long), 'cancel')
    await ada.operate(bullMQJobId(waiting), 'cancel')
    expect((await ended(long)).status).toBe('cancelled')
    while ((await long.getState()) !== 'unknown' && (await long.getState()) !== 'failed') await Bun.sleep(20)
    while (await queue.getJob(waiting.id ?? '')) await Bun.sleep(20)

    const unheard = await queue.add('Unheard', {}, { delay: 600_000 })
    await ada.until(bullMQJobId(unheard), () => true)
    await bridge.kill()
    await ada.operate(bullMQJobId(unheard), 'cancel')
    await start('bullmq-bridge.ts')
    while (await queue.getJob(unheard.id ?? '')) await Bun.sleep(20)
  })

  test.each(['README.md', 'server/docs/languages.md'])(
    'is in %s, whose code reports as it stands',
    async (document) => {
      const code = (await blocks(document, 'ts')).find((block) => block.includes('reportBullMQ')) ?? ''
      const given = `const connection = { port: ${redis.port} }
const url = '${server.url}'
const token = '${env.MILEPOST_TOKEN}'
console.log('ready')
`
      const program = await QueueProcess.run(`${given}${code}`)
      processes.push(program)
      const isWorking = code.includes('new Worker')
      if (!isWorking) await start('bullmq-worker.ts')
      const [job] = isWorking ? [] : [await queue.add('Yearly export', {})]
      const wanted = isWorking ? 'Export of 2026' : 'Yearly export'
      for (;;) {
        const { jobs } = await ada.json<{ jobs: Document[] }>(200, 'GET', 'api/jobs?status=completed&limit=1')
        if (jobs[0]?.title === wanted && (!job || jobs[0].id === bullMQJobId(job))) break
        await Bun.sleep(20)
      }
    },
  )

  test('shows the final state of each job, once, when workers, bridges, Redis and the server are killed at random', async () => {
    const random = new SeededRandom(7)
    const pick = <T>(list: T[]): T => list[Math.floor(random.number() * list.length)] as T
    let workers = [await start('bullmq-worker.ts')]
    let bridges = [await start('bullmq-bridge.ts'), await start('bullmq-bridge.ts')]
    const jobs: Job[] = []
    const add = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const data = { rows: 1 + (n % 3), ms: 5 + (n % 7) * 5, fails: n % 4 === 0 ? 1 : n % 11 === 0 ? 9 : 0 }
        const options = { attempts: 3, removeOnComplete: n % 3 === 0, ...(n % 2 ? { backoff: 50 } : {}) }
        jobs.push(await queue.add(`Job ${n}`, data, options))
      }
    }
    const faults = [
      async () => {
        await workers[0]?.kill()
        workers = [await start('bullmq-worker.ts')]
      },
      async () => {
        const victim = pick(bridges)
        await victim.kill()
        bridges = [...bridges.filter((one) => one !== victim), await start('bullmq-bridge.ts')]
      },
      async () => {
        await redis.kill()
        await redis.restart()
      },
      async () => {
        await server.kill()
        await server.restart()
      },
    ]
    for (const fault of [0, 1, 2, 3]) {
      await add(9)
      await Bun.sleep(random.number() * 300)
      await faults[fault]?.()
    }
    for (const job of jobs) {
      const document = await ended(job)
      const state = await queue.getJobState(job.id ?? '')
      // A job that is removed at its end has none.
      const { status, attempt = 1, errors } = document
      expect([job.id, state === 'unknown' ? 'completed' : state]).toEqual([job.id, status])
      expect([job.id, errors.map(({ code }) => code)]).toEqual([
        job.id,
        Array.from({ length: attempt - 1 }, (_, index) => `try-${index + 1}`),
      ])
    }
    const { jobs: shown } = await ada.json<{ jobs: Document[] }>(200, 'GET', 'api/jobs?kind=exports&limit=100')
    const ids = shown.filter(({ title }) => title.startsWith('Job ')).map(({ id }) => id)
    expect(ids.sort()).toEqual(jobs.map(bullMQJobId).sort())
  })
})
