import { describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { createReporter } from '../../../../../client/producer/reporter.ts'
import { createApp } from '../../../../../server/app.ts'
import { MemoryEngine } from '../../../../../server/engines/memory.ts'
import type { Job } from '../../../../../shared/document/job.ts'

describe('createReporter', () => {
  test('createReporter reports on many jobs to a real server in a few requests, and goes on beside one that is refused', async () => {
    const secret = 's'.repeat(32)
    const app = createApp({ engine: new MemoryEngine(), auth: { secret } })
    const exp = Math.floor(Date.now() / 1_000) + 3_600
    const token = await sign({ sub: 'importer', scope: 'jobs:write jobs:read', exp }, secret, 'HS256')
    const asked: string[] = []
    const problems: string[] = []
    const reporter = createReporter({
      url: 'http://localhost',
      token,
      fetch: async (url, init) => {
        asked.push(new URL(url).pathname)
        return app.request(url, init)
      },
      onProblem: (problem) => problems.push(problem),
    })
    const jobs = Array.from({ length: 20 }, (_, n) =>
      reporter.create({ id: `${n}`, kind: 'import', title: 'Contacts' }),
    )
    await reporter.flush()
    for (const job of [...jobs, reporter.job('none')]) job.status({ status: 'completed' })
    await reporter.close()
    expect(asked.filter((path) => path !== '/api/jobs')).toEqual(['/api/events'])
    expect(problems).toEqual([expect.stringMatching(/^Job none takes no more events: /)])
    for (const { id } of jobs) {
      const response = await app.request(`/api/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })
      expect((await response.json()) as Job).toMatchObject({ version: 2, status: 'completed' })
    }
    await app.close()
  })

  test('createReporter makes jobs that a real server has, event by event', async () => {
    const secret = 's'.repeat(32)
    const app = createApp({ engine: new MemoryEngine(), auth: { secret } })
    const exp = Math.floor(Date.now() / 1_000) + 3_600
    const token = await sign({ sub: 'importer', scope: 'jobs:write jobs:read', exp }, secret, 'HS256')
    const reporter = createReporter({
      url: 'http://localhost',
      token,
      fetch: async (url, init) => app.request(url, init),
      onProblem: (problem) => {
        throw new Error(problem)
      },
    })
    const job = reporter.create({ kind: 'import', title: 'Contacts', metadata: { from: 'test' } })
    job.status({ status: 'running' })
    for (let done = 1; done <= 500; done++) job.progress({ done, total: 500, unit: 'rows' })
    for (let row = 0; row < 1_500; row++) job.item({ id: `${row}`, status: row % 3 === 0 ? 'failed' : 'succeeded' })
    job.status({ status: 'completed', result: { rows: 500 } })
    await reporter.close()
    const response = await app.request(`/api/jobs/${job.id}`, { headers: { authorization: `Bearer ${token}` } })
    const document = (await response.json()) as Job
    expect(document).toMatchObject({
      version: 1_504,
      status: 'completed',
      progress: { done: 500, total: 500, unit: 'rows' },
      itemCounts: { pending: 0, running: 0, succeeded: 1_000, failed: 500, skipped: 0 },
      result: { rows: 500 },
    })
    expect(job.dropped).toBe(0)
    await app.close()
  })
})
