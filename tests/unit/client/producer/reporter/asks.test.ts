import { describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { createApp } from '../../../../../server/app.ts'
import { MemoryEngine } from '../../../../../server/engines/memory.ts'
import type { Job } from '../../../../../shared/document/job.ts'
import type { Receipt } from '../../../../../shared/wire/api.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
  test('createReporter.ask waits for its answer without a word on the status that another process has reported', async () => {
    const secret = 's'.repeat(32)
    const app = createApp({ engine: new MemoryEngine(), auth: { secret } })
    const exp = Math.floor(Date.now() / 1_000) + 3_600
    const token = await sign({ sub: 'importer', scope: 'jobs:write jobs:read', exp }, secret, 'HS256')
    const call = async (path: string, body?: object) => {
      const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      const headers = { ...init.headers, authorization: `Bearer ${token}` }
      return (await app.request(`/api/jobs${path}`, body ? { ...init, headers } : { headers })).json() as Promise<Job>
    }
    await call('', { id: 'a', kind: 'import', title: 'Contacts' })
    await call('/a/events', { type: 'status', status: 'running' })
    const sent: { type: string; status?: string }[][] = []
    const { reporter, clock } = report({
      url: 'http://localhost',
      token,
      fetch: async (url, init) => {
        sent.push(JSON.parse(String(init.body)))
        return app.request(url, init)
      },
    })
    const until = async (isOver: () => boolean) => {
      while (!isOver()) {
        await clock.advance(1_000)
        await Bun.sleep(1)
      }
    }
    const job = reporter.job('a')
    const ask = { id: 'deploy', message: 'Deploy?' }
    let answered: unknown
    void job.ask(ask).then((value) => {
      answered = value
    })
    await until(() => sent.length === 3)
    const document = await call('/a')
    expect([document.status, document.attempt, document.openAsks]).toEqual(['running', undefined, 1])
    expect(sent).toEqual(Array(3).fill([{ type: 'ask', ...ask }]))
    // Here it is known to run.
    job.status({ status: 'running' })
    await until(() => sent.length === 5)
    expect(sent[4]).toEqual([{ type: 'status', status: 'running' }])
    await call('/a/answers/deploy', { value: true })
    await until(() => answered !== undefined)
    expect(answered).toEqual({ value: true, by: 'importer' })
    await reporter.close()
    await app.close()
  })

  test('createReporter.ask repeats nothing when a receipt has just told that there is no answer', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const ask = { id: 'b', message: 'Deploy?' }
    const answered = job.ask(ask)
    const answer = async (answers: Receipt['answers']) => {
      const { request } = environment
      await request.answer(200, { ...receipt, flushMs: 250, answers })
      return JSON.parse(String(request.body))
    }
    await settle()
    const earlier = { ask: 'a', value: true, by: 'ada' }
    expect(await answer([earlier])).toEqual([{ type: 'ask', ...ask }])
    for (let done = 1; done <= 4; done++) {
      job.progress({ done })
      await clock.advance(2_000)
      expect(await answer([earlier])).toEqual([{ type: 'progress', done }])
    }
    expect(environment.requests).toHaveLength(5)
    await clock.advance(3_000)
    expect(await answer([earlier, { ask: 'b', expired: true }])).toEqual([{ type: 'ask', ...ask }])
    expect(await answered).toEqual({ expired: true })
    await reporter.close()
  })
})
