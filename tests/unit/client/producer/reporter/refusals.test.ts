import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
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
})
