import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
  test('createReporter creates the job at once, under an id that is there at once', async () => {
    const { reporter, environment } = report()
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    expect(job.id).toMatch(/^[0-9a-v]{26}$/)
    const { request } = environment
    expect([request.method, request.url]).toEqual(['POST', 'https://progress.example/api/jobs'])
    expect(request.headers.get('authorization')).toBe('Bearer t.t.t')
    expect(request.headers.get('content-type')).toBe('application/json')
    expect(JSON.parse(String(request.body))).toEqual({
      heartbeatSeconds: 60,
      kind: 'import',
      title: 'Contacts',
      id: job.id,
    })
    await request.answer(201, newHeader())
    await environment.clock.advance(60_000)
    expect(environment.requests).toHaveLength(1)
  })

  test('createReporter sends events after the job is created, gathered, each batch with a key of its own', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.create({ id: 'a~1', kind: 'import', title: 'Contacts' })
    job.status({ status: 'running' })
    job.progress({ done: 1, total: 3 })
    job.progress({ done: 2 })
    job.item({ id: 'row', status: 'failed', error: 'no' })
    job.step({ id: 'read', status: 'running' })
    job.error({ message: 'no', itemId: 'row' })
    job.log({ message: 'hm' })
    await clock.advance(250)
    expect(environment.requests).toHaveLength(1)
    await environment.request.answer(201, newHeader())
    const { request } = environment
    expect(request.url).toBe('https://progress.example/api/jobs/a~1/events?epoch=e1')
    expect(JSON.parse(String(request.body))).toEqual([
      { type: 'status', status: 'running' },
      { type: 'progress', done: 2, total: 3 },
      { type: 'item', id: 'row', status: 'failed', error: 'no' },
      { type: 'step', id: 'read', status: 'running' },
      { type: 'error', message: 'no', itemId: 'row' },
      { type: 'log', message: 'hm' },
    ])
    const key = request.headers.get('idempotency-key')
    expect(key).toMatch(/^[0-9a-v]{20}$/)
    await request.answer(200, receipt)
    job.log({ message: 'more' })
    await clock.advance(5_000)
    expect(environment.request.headers.get('idempotency-key')).not.toBe(key)
  })

  test('createReporter sends what waits of all jobs in one request, and goes on so', async () => {
    const { reporter, environment, clock } = report()
    const jobs = Array.from({ length: 1_000 }, (_, n) => reporter.job(`${n}`))
    const answerAll = () => environment.request.answer(200, Array(1_000).fill(receipt))
    for (const job of jobs) {
      job.progress({ done: 1 })
      // Not all begin in one turn.
      if (job.id.endsWith('00')) await clock.advance(20)
    }
    await clock.advance(250)
    expect(environment.requests.map(({ url }) => url)).toEqual(['https://progress.example/api/events'])
    await answerAll()
    for (let round = 2; round < 5; round++) {
      for (const job of jobs) {
        job.progress({ done: round })
        if (job.id.endsWith('00')) await clock.advance(100)
      }
      await clock.advance(5_000)
      expect(environment.requests).toHaveLength(round)
      await answerAll()
    }
    for (const job of jobs) job.status({ status: 'completed' })
    await clock.advance(0)
    expect(environment.requests).toHaveLength(5)
    expect(JSON.parse(String(environment.request.body))).toHaveLength(1_000)
  })

  test('createReporter tries batches that failed together again together', async () => {
    const { reporter, environment, clock } = report()
    for (let n = 0; n < 1_000; n++) reporter.job(`${n}`).log({ message: 'one' })
    await clock.advance(250)
    let tries = 0
    for (; clock.monotonic() < 60_000; await clock.advance(10)) {
      for (const request of environment.requests.splice(0)) {
        tries += 1
        await request.fail()
      }
    }
    // 20 a second at most.
    expect(tries).toBeLessThanOrEqual(1_200)
  })

  test('createReporter tries again to create a job, with the batch that needs it, and repeats a batch under its key', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    await environment.request.fail()
    job.log({ message: 'one' })
    await clock.advance(250)
    expect(environment.request.url).toEndWith('/api/jobs')
    await environment.request.answer(503, {}, { 'retry-after': '2' })
    await clock.advance(1_999)
    expect(environment.requests).toHaveLength(2)
    await clock.advance(501)
    await environment.request.answer(200, newHeader())
    const first = environment.request
    expect(first.url).toEndWith('/events?epoch=e1')
    await first.fail()
    await clock.advance(1_000)
    expect(environment.request).not.toBe(first)
    expect(environment.request.headers.get('idempotency-key')).toBe(first.headers.get('idempotency-key'))
    expect(environment.request.body).toBe(first.body)
  })

  test('createReporter repeats the status of running work that says nothing, three times within its heartbeat', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.create({ kind: 'import', title: 'Contacts', heartbeatSeconds: 30 })
    await environment.request.answer(201, newHeader())
    const beats = async (ms: number, answer = { ...receipt, flushMs: 250 }) => {
      const bodies: unknown[] = []
      environment.requests.length = 0
      for (const end = clock.monotonic() + ms; clock.monotonic() < end; ) {
        await clock.advance(250)
        for (const request of environment.requests.splice(0)) {
          bodies.push(JSON.parse(String(request.body)))
          await request.answer(200, answer)
        }
      }
      return bodies
    }
    // It is not running.
    expect(await beats(60_000)).toEqual([])
    job.status({ status: 'running', message: 'Reading' })
    expect(await beats(250)).toEqual([[{ type: 'status', status: 'running', message: 'Reading' }]])
    expect(await beats(60_000)).toEqual(Array(6).fill([{ type: 'status', status: 'running' }]))
    // Work that reports needs none.
    for (let done = 0; done < 5; done++) {
      job.progress({ done })
      expect(await beats(9_000)).toEqual([[{ type: 'progress', done }]])
    }
    job.status({ status: 'paused' })
    expect(await beats(60_000)).toHaveLength(1)
    job.status({ status: 'running' })
    // After a request to cancel the work has to speak for itself.
    expect(await beats(60_000, { ...receipt, flushMs: 250, cancelRequested: true })).toHaveLength(1)
    expect(job.signal.aborted).toBe(true)
    job.status({ status: 'cancelled' })
    await beats(250)
    // The work is wrong, but may not be shown as alive.
    job.status({ status: 'running' })
    expect(await beats(60_000)).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test('createReporter takes a function as a token', async () => {
    let asked = 0
    const { reporter, environment } = report({ token: () => `token-${++asked}` })
    reporter.create({ kind: 'import', title: 'Contacts' })
    await settle()
    expect(environment.request.headers.get('authorization')).toBe('Bearer token-1')
  })

  test('createReporter.track reports each row that is done, and its fields with every event', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const seen: string[] = []
    for (const row of job.track(['a', 'b', 'c'], { unit: 'rows' })) {
      seen.push(row)
      await clock.advance(250)
      const { request } = environment
      seen.push(JSON.stringify(JSON.parse(String(request.body))[0].done))
      if (!request.isAnswered) await request.answer(200, { ...receipt, flushMs: 250 })
    }
    await clock.advance(250)
    expect(seen).toEqual(['a', '0', 'b', '1', 'c', '2'])
    expect(JSON.parse(String(environment.request.body))).toEqual([
      { type: 'progress', done: 3, total: 3, unit: 'rows' },
    ])
    const many = report()
    const one = many.reporter.job('a')
    for (const row of one.track(new Set(Array(5_000).keys()))) if (row === 2_000) one.log({ message: 'm' })
    await many.clock.advance(250)
    expect(JSON.parse(String(many.environment.request.body))).toEqual([
      { type: 'progress', done: 5_000, total: 5_000 },
      { type: 'log', message: 'm' },
    ])
  })

  test('createReporter sends no heartbeat of what waits for the server, nor of a job that was refused', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    job.status({ status: 'running' })
    await clock.advance(250)
    const { request } = environment
    for (let n = 0; n < 40; n++) await clock.advance(1_000)
    await environment.request.answer(404)
    expect(environment.requests.every(({ body }) => body === request.body)).toBe(true)
    const count = environment.requests.length
    await clock.advance(300_000)
    expect([environment.requests.length, clock.pending]).toEqual([count, 0])
  })
})
