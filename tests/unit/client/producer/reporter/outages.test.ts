import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
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
})
