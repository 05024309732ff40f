import { describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { createReporter, type ReporterOptions } from '../../../../client/producer/reporter.ts'
import { createApp } from '../../../../server/app.ts'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import type { Job } from '../../../../shared/document/job.ts'
import type { Receipt } from '../../../../shared/wire/api.ts'
import { newHeader } from '../../../arbitraries.ts'
import { FakeEnvironment, type FakeRequest } from '../../../fake-environment.ts'
import { freePort } from '../../../support/free-port.ts'
import { settle } from '../../../virtual-clock.ts'

/** A reporter whose requests a test answers. */
function report(options: Partial<ReporterOptions> = {}) {
  const environment = new FakeEnvironment()
  const { clock, random } = environment
  const problems: string[] = []
  const reporter = createReporter({
    url: 'https://progress.example/',
    token: 't.t.t',
    fetch: (url, init) => environment.fetch(url, init),
    clock,
    random,
    onProblem: (problem) => problems.push(problem),
    ...options,
  })
  return { reporter, environment, problems, clock }
}

const receipt = { version: 3, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }

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

  test('createReporter hears in receipts what watchers ask for', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const reasons: unknown[] = []
    job.signal.addEventListener('abort', () => reasons.push(job.signal.reason))
    expect([job.cancelRequested, job.pauseRequested]).toEqual([false, false])
    job.log({ message: 'one' })
    await clock.advance(250)
    await environment.request.answer(200, { ...receipt, pauseRequested: true })
    expect([job.cancelRequested, job.pauseRequested, job.signal.aborted]).toEqual([false, true, false])
    job.log({ message: 'two' })
    await clock.advance(5_000)
    await environment.request.answer(200, { ...receipt, cancelRequested: true })
    expect([job.cancelRequested, job.pauseRequested, job.signal.aborted]).toEqual([true, false, true])
    expect(reasons).toEqual([new Error('A watcher cancelled this job')])
  })

  test.each([403, 404, 409])('createReporter drops what comes after a %p, and says why', async (status) => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.job('a')
    job.log({ message: 'one' })
    await clock.advance(250)
    await environment.request.answer(status, { detail: 'Not this one.' })
    job.log({ message: 'two' })
    await clock.advance(60_000)
    expect(environment.requests).toHaveLength(1)
    expect(problems).toEqual(['Job a takes no more events: Not this one.'])
    expect(job.dropped).toBe(2)
    expect(clock.pending).toBe(0)
  })

  test.each([
    [403, 'The scope jobs:write is missing.'],
    [409, 'The id is taken.'],
    [422, 'title: must have 512 bytes at most'],
  ])(
    'createReporter says once why the server refuses a job with a %p, and does not repeat it',
    async (status, detail) => {
      const { reporter, environment, clock, problems } = report()
      const silent = reporter.create({ id: 'silent', kind: 'import', title: 'Nothing to say' })
      const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts' })
      job.log({ message: 'one' })
      await clock.advance(250)
      for (const request of environment.requests) await request.answer(status, { detail })
      job.status({ status: 'completed' })
      await job.flush()
      await clock.advance(60_000)
      await Promise.all([reporter.close(), silent.close(), job.close()])
      expect(problems).toEqual([`Job silent was not created: ${detail}`, `Job a was not created: ${detail}`])
      expect([environment.requests.length, job.dropped, clock.pending]).toEqual([2, 2, 0])
    },
  )

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

  test('createReporter.pausePoint reports a pause, and waits for its end', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const answer = async (ms: number, asked: Partial<typeof receipt> = {}) => {
      await clock.advance(ms)
      const { request } = environment
      await request.answer(200, { ...receipt, flushMs: 250, ...asked })
      return JSON.parse(String(request.body))
    }
    await job.pausePoint()
    job.status({ status: 'running' })
    await answer(250, { pauseRequested: true })
    let isOver = false
    const paused = job.pausePoint().then(() => {
      isOver = true
    })
    expect(await answer(0, { pauseRequested: true })).toEqual([{ type: 'status', status: 'paused' }])
    expect(await answer(20_000, { pauseRequested: true })).toEqual([{ type: 'status', status: 'paused' }])
    expect(isOver).toBe(false)
    expect(await answer(20_000)).toEqual([{ type: 'status', status: 'paused' }])
    await paused
    expect(await answer(250, { pauseRequested: true })).toEqual([{ type: 'status', status: 'running' }])
    const cancelled = job.pausePoint()
    await answer(0, { pauseRequested: true, cancelRequested: true })
    await cancelled
    job.status({ status: 'cancelled' })
    expect(await answer(0)).toEqual([{ type: 'status', status: 'cancelled' }])
    expect(clock.pending).toBe(0)
  })

  test('createReporter.pausePoint ends with the job', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    job.status({ status: 'running' })
    await clock.advance(250)
    await environment.request.answer(200, { ...receipt, pauseRequested: true })
    const paused = job.pausePoint()
    await settle()
    await environment.request.answer(404)
    await paused
    expect(clock.pending).toBe(0)
  })

  test('createReporter.retry reports what ended a try, and lets go of the job until its next try', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts', heartbeatSeconds: 30 })
    job.status({ status: 'running' })
    job.retry(new Error('no database'), { message: 'Again in 10 s', attempt: 4 })
    job.retry('x'.repeat(9_000))
    const hostile = {
      toString() {
        throw new Error('no')
      },
    }
    job.retry(hostile)
    await environment.request.answer(201, newHeader())
    await clock.advance(250)
    expect(JSON.parse(String(environment.request.body))).toEqual([
      { type: 'status', status: 'running' },
      { type: 'error', message: 'no database' },
      { type: 'status', status: 'pending', message: 'Again in 10 s', attempt: 4 },
      { type: 'error', message: 'x'.repeat(2_000) },
      { type: 'status', status: 'pending' },
      { type: 'error', message: 'An error without a text' },
      { type: 'status', status: 'pending' },
    ])
    await environment.request.answer(200, receipt)
    // No heartbeats, and nothing to close.
    await clock.advance(600_000)
    const { length } = environment.requests
    await reporter.flush()
    job.status({ status: 'running' })
    void reporter.flush()
    await settle()
    expect(environment.requests).toHaveLength(length + 1)
  })

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

  test('createReporter.fork creates a child of the same kind and owner', async () => {
    const { reporter, environment } = report()
    const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts', owner: 'ada' })
    job.fork('Part 2', { id: 'b', metadata: { part: 2 } })
    expect(JSON.parse(String(environment.request.body))).toEqual({
      heartbeatSeconds: 60,
      kind: 'import',
      title: 'Part 2',
      owner: 'ada',
      id: 'b',
      metadata: { part: 2 },
      parentId: 'a',
    })
    reporter.job('elsewhere').fork('Part')
    const { kind, parentId } = JSON.parse(String(environment.request.body))
    expect([kind, parentId]).toEqual(['job', 'elsewhere'])
  })

  test('createReporter aborts the signal of a job that was cancelled while it was pending, without a word', async () => {
    for (const hear of ['creation', 'batch'] as const) {
      const { reporter, environment, problems, clock } = report()
      const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts' })
      const status = hear === 'creation' ? 'cancelled' : 'pending'
      await environment.request.answer(hear === 'creation' ? 200 : 201, newHeader({ status }))
      expect(job.signal.aborted).toBe(hear === 'creation')
      job.status({ status: 'running' })
      await clock.advance(250)
      if (hear === 'batch') {
        const problem = {
          type: 'urn:milepost:conflict',
          status: 409,
          detail: 'It is cancelled.',
          jobStatus: 'cancelled',
        }
        await environment.request.answer(409, problem, { 'content-type': 'application/problem+json' })
      }
      expect([job.signal.aborted, job.cancelRequested, problems]).toEqual([true, true, []])
      expect(environment.clock.pending).toBe(0)
    }
  })

  test('createReporter says once that the server can not be reached, and what to do', async () => {
    const refused = Object.assign(new TypeError('Bearer t.t.t'), { cause: { code: 'ECONNREFUSED' } })
    const { reporter, problems, clock } = report({ fetch: () => Promise.reject(refused) })
    reporter.create({ kind: 'import', title: 'Contacts' }).status({ status: 'running' })
    await clock.advance(300)
    expect(problems).toEqual([])
    await clock.advance(600_000)
    expect(problems).toEqual([
      "https://progress.example can't be reached (ECONNREFUSED). Check the address, the network and the server. " +
        'The work goes on; its reports wait in memory, and are lost if this lasts until it ends.',
    ])
    const foreign = report({ fetch: async () => new Response('<h1>Hello</h1>') })
    foreign.reporter.create({ kind: 'import', title: 'Contacts' }).status({ status: 'running' })
    await foreign.clock.advance(600_000)
    expect(foreign.problems.map((problem) => problem.split('.')[1])).toEqual([
      'example answers with status 200, but not as Milepost does',
    ])
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

  test('createReporter says once why a job that can not be written as JSON is not created', async () => {
    const { reporter, environment, problems, clock } = report()
    const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts', metadata: { big: 1n } })
    job.log({ message: 'one' })
    await clock.advance(250)
    await reporter.close()
    expect(problems).toHaveLength(1)
    expect(problems[0]).toStartWith("Job a was not created: It can't be written as JSON")
    expect([environment.requests.length, job.dropped, clock.pending]).toEqual([0, 1, 0])
  })

  test('createReporter lets go of jobs that the server refuses', async () => {
    const { reporter, environment, clock } = report()
    const refused: WeakRef<object>[] = []
    await (async () => {
      for (let n = 0; n < 20; n++) {
        const job = n % 2 ? reporter.job(`${n}`) : reporter.create({ kind: 'import', title: 'Contacts' })
        job.log({ message: 'one' })
        refused.push(new WeakRef(job))
      }
      await clock.advance(250)
      for (const request of environment.requests) await request.answer(403)
      environment.requests.length = 0
    })()
    await settle()
    Bun.gc(true)
    // The stack may still refer to some.
    expect(refused.filter((job) => job.deref()).length).toBeLessThan(5)
    await reporter.close()
  })

  test.each<[number, string | object]>([
    [404, '<h1>404 Not Found</h1>'],
    [403, '<h1>Forbidden</h1>'],
    [401, '<h1>Sign in</h1>'],
    [409, { detail: 'Another application listens here.' }],
    [422, { type: 'about:blank', detail: 'Not ours.' }],
    [200, '<h1>Welcome to the WiFi</h1>'],
    [200, { ok: true }],
    [304, ''],
  ])("createReporter takes a %p that is not the server's for a server that is away: %p", async (status, body) => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    job.log({ message: 'one' })
    job.status({ status: 'completed' })
    await environment.request.answerForeign(status, body)
    for (let tries = 0; tries < 3; tries++) {
      await clock.advance(10_000)
      expect(environment.request.url).toEndWith('/api/jobs')
      await environment.request.answerForeign(status, body)
    }
    await clock.advance(10_000)
    await environment.request.answer(201, newHeader())
    const { request } = environment
    await request.answerForeign(status, body)
    await clock.advance(10_000)
    expect([environment.request === request, environment.request.body]).toEqual([false, request.body])
    await environment.request.answer(200, receipt)
    expect([job.dropped, problems, clock.pending]).toEqual([0, [], 0])
  })

  test.each([
    [503, '3600'],
    [429, '3600'],
    [404, '3600'],
    [502, 'Thu, 01 Jan 2099 00:00:00 GMT'],
    [200, '3600'],
  ])(
    "createReporter waits no longer than ten seconds and some for a %p that is not the server's, whatever its Retry-After: %p",
    async (status, retryAfter) => {
      const { reporter, environment, clock } = report()
      reporter.job('a').log({ message: 'one' })
      await clock.advance(250)
      await environment.request.answerForeign(status, '<h1>Maintenance</h1>', { 'retry-after': retryAfter })
      await clock.advance(9_999)
      expect(environment.requests).toHaveLength(1)
      await clock.advance(2_501)
      expect(environment.requests).toHaveLength(2)
    },
  )

  test('createReporter tells once that the queue drops events, and what to do', async () => {
    const { reporter, environment, problems } = report()
    const job = reporter.job('a')
    for (let line = 0; line < 40_000; line++) job.log({ message: `${line}` })
    expect(problems).toEqual(['Job a drops events: 10,000 wait. Check the server, or await flush() in loops.'])
    expect([job.dropped, environment.requests.length]).toEqual([30_000, 0])
  })

  test('createReporter says which event a proxy refuses as too large, and sends the others', async () => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.job('a')
    job.log({ message: 'one' })
    job.status({ status: 'paused', result: 'y'.repeat(12_000) })
    job.log({ message: 'two' })
    const taken: unknown[] = []
    for (let waits = 0; waits < 20; waits++) {
      await clock.advance(1_000)
      for (const request of environment.requests.filter(({ isAnswered }) => !isAnswered)) {
        const body = String(request.body)
        if (body.length > 10_000) await request.answerForeign(413, '<h1>413 Request Entity Too Large</h1>')
        else {
          taken.push(...(JSON.parse(body) as unknown[]))
          await request.answer(200, receipt)
        }
      }
    }
    expect(taken).toEqual([
      { type: 'log', message: 'one' },
      { type: 'status', status: 'paused' },
      { type: 'log', message: 'two' },
    ])
    expect(problems).toEqual([
      'A status event of job a was not taken: A proxy before the server refuses 12049 bytes. Raise its limit.',
    ])
  })

  test('createReporter keeps the events of a job that a proxy refuses to create as too large', async () => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.create({ kind: 'import', title: 'Contacts', metadata: { text: 'y'.repeat(12_000) } })
    const events = Array.from({ length: 4 }, (_, line) => ({ message: `${line}`.repeat(2_000) }))
    for (const event of events) job.log(event)
    for (let tries = 0; tries < 5; tries++) {
      await environment.request.answerForeign(413, '<h1>413 Request Entity Too Large</h1>')
      await clock.advance(10_000)
    }
    await environment.request.answer(201, newHeader())
    expect(JSON.parse(String(environment.request.body))).toEqual(events.map((event) => ({ ...event, type: 'log' })))
    expect([job.dropped, problems]).toEqual([0, []])
  })

  test('createReporter sends less at once to a proxy that takes less than the server, and loses nothing', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    for (let line = 1; line <= 4; line++) job.log({ message: `${line}` })
    await clock.advance(250)
    const sizes: number[] = []
    const taken: string[] = []
    for (let request = environment.request; taken.length < 4; request = environment.request) {
      const events = JSON.parse(String(request.body)) as { message: string }[]
      sizes.push(events.length)
      if (events.length > 1) await request.answerForeign(413, '<h1>413 Request Entity Too Large</h1>')
      else {
        taken.push(...events.map(({ message }) => message))
        await request.answer(200, receipt)
      }
      await clock.advance(10_000)
    }
    expect([taken, job.dropped]).toEqual([['1', '2', '3', '4'], 0])
    expect(sizes.slice(0, 3)).toEqual([4, 2, 1])
  })

  test('createReporter drops an event that is not valid, and only that', async () => {
    const { reporter, environment, problems } = report()
    const job = reporter.job('a')
    job.progress({ done: -1 })
    const flushed = job.flush()
    await settle()
    await environment.request.answer(422, { detail: 'done: must not be negative' })
    await flushed
    expect(problems).toEqual(['A progress event of job a was not taken: done: must not be negative'])
    job.progress({ done: 1 })
    expect(job.dropped).toBe(1)
  })

  test('createReporter drops what can not be written as JSON, and sends the rest', async () => {
    const { reporter, environment, problems } = report()
    const job = reporter.job('a')
    const circle: { self?: unknown } = {}
    circle.self = circle
    job.log({ message: 'one' })
    job.status({ status: 'completed', result: circle })
    const flushed = job.flush()
    await settle()
    expect(JSON.parse(String(environment.request.body))).toEqual([{ type: 'log', message: 'one' }])
    await environment.request.answer(200, receipt)
    expect(JSON.parse(String(environment.request.body))).toEqual([{ type: 'status', status: 'completed' }])
    await environment.request.answer(200, receipt)
    await flushed
    expect(problems).toHaveLength(1)
    expect(problems[0]).toStartWith("A status event of job a was not taken: It can't be written as JSON")
  })

  test('createReporter keeps trying a token that is refused, and says so', async () => {
    const { reporter, environment, clock, problems } = report()
    reporter.job('a').log({ message: 'one' })
    await clock.advance(250)
    await environment.request.answer(401, { detail: 'Sign in.' })
    await clock.advance(1_000)
    expect(environment.requests).toHaveLength(2)
    expect(problems).toEqual(['The token was refused: Sign in.'])
  })

  test('createReporter gives up a request after fifteen seconds, and tries it again', async () => {
    const { reporter, environment, clock } = report()
    reporter.job('a').log({ message: 'one' })
    await clock.advance(250)
    const { request } = environment
    await clock.advance(15_000)
    expect(request.isOver).toBe(true)
    await clock.advance(1_000)
    expect(environment.requests).toHaveLength(2)
  })

  test('createReporter never throws into the work, whatever it is given and whoever listens', async () => {
    const { reporter, clock } = report({
      fetch: () => {
        throw new Error('no network')
      },
      onProblem: () => {
        throw new Error('a bad listener')
      },
    })
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    job.progress(undefined as never)
    job.log({ message: 'x'.repeat(100_000) })
    job.status({ status: 'completed', result: 1n })
    await job.flush()
    await clock.advance(100_000)
    expect(job.cancelRequested).toBe(false)
  })

  test('createReporter.close sends what waits and lets go of everything', async () => {
    const { reporter, environment, clock } = report()
    reporter.job('a').log({ message: 'one' })
    reporter.job('b').log({ message: 'two' })
    const closed = reporter.close()
    await settle()
    expect(environment.requests.map(({ url }) => url)).toEqual(['https://progress.example/api/events'])
    await environment.request.answer(200, [receipt, receipt])
    await closed
    expect(clock.pending).toBe(0)
  })

  test('createReporter.close keeps trying until its time is over, however long it had to wait before', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    job.status({ status: 'completed' })
    // Failures before have made the waits long.
    for (let tries = 1; tries <= 8; tries++) {
      await environment.nextTry()
      await environment.request.fail()
    }
    const closed = reporter.close()
    await settle()
    const before = environment.requests.length
    for (let tries = 0; tries < 3; tries++) {
      await environment.request.answerForeign(502, '<h1>502 Bad Gateway</h1>')
      expect(environment.requests.length).toBe(before + tries)
      await environment.nextTry()
    }
    await environment.request.answer(200, receipt)
    await closed
    expect([environment.requests.length, job.dropped, clock.pending]).toEqual([before + 3, 0, 0])
  })

  test.each<[string, (request: FakeRequest) => Promise<void>]>([
    ["the server's 429", (request) => request.answer(429, {}, { 'retry-after': '3600' })],
    ["the server's 503", (request) => request.answer(503, {}, { 'retry-after': '3600' })],
    ["a proxy's 429", (request) => request.answerForeign(429, '<h1>Slow</h1>', { 'retry-after': '86400' })],
    ["a proxy's 503", (request) => request.answerForeign(503, '<h1>Away</h1>', { 'retry-after': '3600' })],
  ])(
    'createReporter.close keeps trying whatever Retry-After %s has, before and in its five seconds',
    async (who, refuse) => {
      const { reporter, environment, clock, problems } = report()
      const job = reporter.job('a')
      job.log({ message: 'one' })
      await clock.advance(250)
      await refuse(environment.request)
      const created = reporter.create({ kind: 'import', title: 'Contacts' })
      const silent = reporter.create({ kind: 'import', title: 'Nothing to say' })
      created.log({ message: 'two' })
      const closed = reporter.close()
      await settle()
      // The server is back after two seconds.
      for (let waits = 0; waits < 30; waits++) {
        for (const request of environment.requests.filter(({ isAnswered }) => !isAnswered)) {
          if (waits < 20) await refuse(request)
          else await request.answer(200, request.url.endsWith('/jobs') ? newHeader() : receipt)
        }
        await clock.advance(100)
      }
      await closed
      const isForeign = problems.some((problem) => problem.includes('but not as Milepost does'))
      expect([isForeign, problems.length]).toEqual(who.includes('proxy') ? [true, 1] : [false, 0])
      expect([job.dropped, created.dropped, silent.dropped, clock.pending]).toEqual([0, 0, 0, 0])
    },
  )

  test('createReporter.close gives a request two seconds, the one under way as well, and repeats it under its key', async () => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.job('a')
    job.status({ status: 'completed' })
    await clock.advance(0)
    const first = environment.request
    const closed = reporter.close()
    await clock.advance(1_999)
    expect([environment.requests.length, first.isOver]).toEqual([1, false])
    await clock.advance(501)
    const second = environment.request
    expect([environment.requests.length, first.isOver, second.isOver]).toEqual([2, true, false])
    await clock.advance(2_499)
    const third = environment.request
    expect([environment.requests.length, second.isOver]).toEqual([3, true])
    expect([third.headers.get('idempotency-key'), third.body]).toEqual([
      first.headers.get('idempotency-key'),
      first.body,
    ])
    await third.answer(200, receipt)
    await closed
    expect([job.dropped, problems, clock.pending]).toEqual([0, [], 0])
  })

  test('createReporter.close gives two seconds to a creation that is under way, and repeats it', async () => {
    const { reporter, environment, clock } = report()
    reporter.create({ kind: 'import', title: 'Contacts' })
    const closed = reporter.close()
    await clock.advance(2_500)
    expect(environment.requests.map(({ isOver }) => isOver)).toEqual([true, false])
    await environment.request.answer(201, newHeader())
    await closed
    expect(clock.pending).toBe(0)
  })

  test('createReporter.close keeps trying to create a job that has nothing to say', async () => {
    const { reporter, environment, clock } = report()
    reporter.create({ kind: 'import', title: 'Contacts' })
    await environment.request.fail()
    const closed = reporter.close()
    await settle()
    await environment.request.fail()
    await environment.nextTry()
    await environment.request.answer(201, newHeader())
    await closed
    expect([environment.requests.length, clock.pending]).toEqual([3, 0])
  })

  test('createReporter.close gives up what is refused at once, and all else after five seconds', async () => {
    const refused = report()
    refused.reporter.create({ kind: 'import', title: 'Contacts' })
    await refused.environment.request.answer(403, {})
    const closed = refused.reporter.close()
    await settle()
    await refused.environment.request.answer(403, {})
    await closed
    const away = report()
    const job = away.reporter.create({ kind: 'import', title: 'Contacts' })
    away.reporter.create({ kind: 'import', title: 'Nothing to say' })
    job.log({ message: 'one' })
    const late = away.reporter.close()
    for (let waits = 0; waits < 50; waits++) {
      for (const request of away.environment.requests) await request.fail()
      await away.clock.advance(100)
    }
    await late
    expect([job.dropped, away.clock.pending, refused.clock.pending]).toEqual([1, 0, 0])
  })

  test('createReporter.close tries at least twice a second to its end, and says in a sentence what did not get out', async () => {
    const { reporter, environment, clock, problems } = report()
    const job = reporter.job('a')
    reporter.job('b').log({ message: 'in time' })
    job.status({ status: 'completed', message: 'last word' })
    const closed = reporter.close()
    const tries: number[] = []
    const begun = clock.now()
    for (let waits = 0; waits < 50; waits++) {
      for (const request of environment.requests) {
        if (request.isOver) continue
        if (request.url.endsWith('/api/events')) {
          await request.answer(200, [{ type: 'urn:milepost:unavailable', status: 503, detail: 'Away.' }, receipt])
        } else {
          tries.push(clock.now() - begun)
          await request.fail()
        }
      }
      await clock.advance(100)
    }
    await closed
    const waits = tries.map((time, index) => time - (tries[index - 1] ?? 0))
    expect(tries.length).toBeGreaterThanOrEqual(9)
    expect(Math.max(...waits)).toBeLessThanOrEqual(500)
    expect(5_000 - (tries.at(-1) ?? 0)).toBeLessThanOrEqual(500)
    expect(problems).toEqual([
      "https://progress.example can't be reached. Check the address, the network and the server. The work goes on; its reports wait in memory, and are lost if this lasts until it ends.",
      'The server did not take all of job a in time: the rest is lost.',
    ])
    expect([job.dropped, clock.pending]).toEqual([1, 0])
  })

  test('createReporter.close keeps a process alive until a server that comes back has the last word', async () => {
    const script = `
      import { createReporter } from './client/producer/reporter.ts'
      const reporter = createReporter({ url: process.argv[1], token: 't' })
      const job = reporter.job('a')
      job.status({ status: 'completed' })
      await job.flush()
      console.log('closing')
      await reporter.close()
      console.log(job.dropped)
    `
    const port = freePort()
    const child = Bun.spawn([process.execPath, '-e', script, `http://127.0.0.1:${port}`], { stdout: 'pipe' })
    const reader = child.stdout.getReader()
    const { value } = await reader.read()
    expect(new TextDecoder().decode(value)).toBe('closing\n')
    const bodies: unknown[] = []
    const server = Bun.serve({
      port,
      hostname: '127.0.0.1',
      async fetch(request) {
        bodies.push(await request.json())
        return Response.json(receipt)
      },
    })
    const rest = await reader.read()
    expect([new TextDecoder().decode(rest.value), await child.exited]).toEqual(['0\n', 0])
    expect(bodies).toEqual([[{ type: 'status', status: 'completed' }]])
    await server.stop(true)
  })

  test('createReporter.close waits five seconds for a server that does not answer', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    job.log({ message: 'one' })
    const closed = reporter.close()
    await clock.advance(5_000)
    await closed
    expect(environment.request.isOver).toBe(true)
    expect(job.dropped).toBe(1)
    expect(clock.pending).toBe(0)
  })

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

describe('createReporter with getToken', () => {
  const authorization = ({ headers }: FakeRequest) => headers.get('authorization')

  test('createReporter asks for a token first, and for another when the server refuses it, with the same batch', async () => {
    let asked = 0
    const { reporter, environment, problems, clock } = report({ token: undefined, getToken: () => `token-${++asked}` })
    const job = reporter.job('a')
    job.log({ message: 'one' })
    await clock.advance(250)
    const { request: first } = environment
    await first.answer(401, { detail: 'Expired.' })
    await clock.advance(5_000)
    const { request: second } = environment
    expect([first, second].map(authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(second.headers.get('idempotency-key')).toBe(first.headers.get('idempotency-key'))
    await second.answer(200, receipt)
    job.log({ message: 'two' })
    await clock.advance(5_000)
    expect([authorization(environment.request), problems]).toEqual(['Bearer token-2', []])
  })

  test.each<[string, () => Promise<string>, problem: string]>([
    ['throws', () => Promise.reject(new Error('Away')), 'Error: Away'],
    ['hangs', () => new Promise(() => {}), 'Error: No token after 10 s'],
  ])(
    'createReporter keeps its events while getToken %s, tells it once, and sends them with the next token',
    async (_what, fail, problem) => {
      let isDown = true
      const { reporter, environment, problems, clock } = report({
        token: undefined,
        getToken: () => (isDown ? fail() : Promise.resolve('good')),
      })
      const job = reporter.job('a')
      job.status({ status: 'running' })
      for (let waits = 0; waits < 60; waits++) await clock.advance(1_000)
      expect([environment.requests.length, problems]).toEqual([0, [`getToken failed, and is asked again: ${problem}`]])
      isDown = false
      for (let waits = 0; waits < 20; waits++) await clock.advance(1_000)
      await environment.request.answer(200, receipt)
      expect([authorization(environment.request), job.dropped]).toEqual(['Bearer good', 0])
      await reporter.close()
    },
  )
})
