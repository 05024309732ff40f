import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import type { FakeRequest } from '../../../../fake-environment.ts'
import { freePort } from '../../../../support/free-port.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
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
})
