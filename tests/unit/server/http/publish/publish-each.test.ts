import { describe, expect, spyOn, test } from 'bun:test'
import { problems } from '../../../../../server/errors.ts'
import { BATCHES_LIMIT } from '../../../../../shared/document/limits.ts'
import type { JobEvents, ProblemDocument, Receipt } from '../../../../../shared/wire/api.ts'
import { refusalOf } from '../../../../support/api-client.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'

type Answers = Partial<Receipt & ProblemDocument>[]

const progress = (done: number) => ({ type: 'progress', done })

async function answersOf(response: Response): Promise<Answers> {
  expect(response.status).toBe(200)
  return (await response.json()) as Answers
}

/** What of an answer matters: the version of a receipt, or how it is refused. */
const briefly = (answers: Answers) =>
  answers.map(({ version, status, errors }) => version ?? [status, ...(errors ?? []).map(({ field }) => field)])

describe('POST /api/events', () => {
  test('POST /api/events applies or refuses each batch by itself, as its own request would', async () => {
    const app = new TestApp()
    for (const id of ['a', 'b', 'c']) await app.create({ id })
    const { epoch } = await app.create({ id: 'd' })
    await app.publish('c', { type: 'status', status: 'completed' })
    const batches: unknown[] = [
      { job: 'a', events: [progress(1), progress(2)] },
      { job: 'none', events: [progress(1)] },
      { job: '../a', events: [progress(1)] },
      { job: 'b', events: [progress(1), { type: 'log' }, 7] },
      { job: 'c', events: [progress(1)] },
      { job: 'd', epoch, events: [progress(1)], key: 'k' },
      { job: 'd', epoch: 'other', events: [progress(2)] },
      { job: 'b', events: [] },
      { job: 'b', events: progress(1) },
      { job: 'b', events: [progress(1)], keys: 'k', key: ' ', epoch: '-' },
      { events: [progress(1)] },
      null,
      [],
      { job: 'd', events: [progress(1)], key: 'k' },
      { job: 'd', events: [progress(2)], key: 'k' },
    ]
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    expect(briefly(answers)).toEqual([
      3,
      [404],
      [404],
      [422, '1.message', '2'],
      [409, 'type'],
      2,
      [404],
      [422, 'events'],
      [422, 'events'],
      [422, 'epoch', 'key', 'keys'],
      [422, 'job'],
      [422, 'body'],
      [422, 'body'],
      2,
      [422, 'Idempotency-Key'],
    ])
    for (const index of [1, 4]) {
      const { job, events } = batches[index] as JobEvents
      const alone = await app.request('POST', `/api/jobs/${job}/events`, events)
      expect(answers[index]).toEqual((await alone.json()) as Answers[number])
    }
    const versions = await Promise.all(['a', 'b', 'c', 'd'].map(async (id) => (await app.document(id)).version))
    expect(versions).toEqual([3, 1, 2, 2])
    expect(app.errors).toEqual([])
  })

  test('POST /api/events applies the batches of one job in order', async () => {
    const app = new TestApp()
    for (const id of ['a', 'b']) await app.create({ id })
    const batches = Array.from({ length: 40 }, (_, n) => ({ job: n % 3 === 0 ? 'a' : 'b', events: [progress(n)] }))
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    const seen = { a: 1, b: 1 }
    expect(briefly(answers)).toEqual(batches.map(({ job }) => (seen[job as 'a' | 'b'] += 1)))
    expect((await app.document('b')).progress.done).toBe(38)
  })

  test('POST /api/events refuses a body that is no array of batches, or too large, and applies nothing', async () => {
    const app = new TestApp({ limits: { bodyBytes: 1_000 } })
    await app.create({ id: 'a' })
    const good = JSON.stringify({ job: 'a', events: [progress(1)] })
    const send = async (body: string, type = 'application/json') => {
      const headers = { authorization: `Bearer ${await app.token}`, 'content-type': type }
      return refusalOf(await app.app.request('/api/events', { method: 'POST', headers, body }))
    }
    for (const body of [
      '',
      '{',
      good,
      `[${good}`,
      `[${good},]`,
      `[${good},{]`,
      `[${good}]]`,
      `[${good}}`,
      `[${good},x]`,
    ])
      expect([body, await send(body)]).toEqual([body, { status: 400, fields: ['body'] }])
    expect(await send('[]')).toEqual({ status: 422, fields: ['body'] })
    expect(await send(`[${good}]`, 'application/x-ndjson')).toEqual({ status: 415, fields: ['Content-Type'] })
    expect(await send(`[${good}${' '.repeat(4_000)}]`)).toEqual({ status: 413, fields: ['body'] })
    expect((await app.document('a')).version).toBe(1)
    const long = { job: 'a', events: Array.from({ length: 50 }, (_, n) => progress(n)) }
    const answers = await answersOf(await app.request('POST', '/api/events', [long, JSON.parse(good)]))
    expect(briefly(answers)).toEqual([[413, 'events'], 2])
  })

  test('POST /api/events takes a thousand batches, and no more', async () => {
    const app = new TestApp()
    await app.create({ id: 'a' })
    const batches = Array.from({ length: BATCHES_LIMIT }, (_, n) => ({ job: `${n}`, events: [progress(n)] }))
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    expect(answers.map(({ status }) => status)).toEqual(Array(BATCHES_LIMIT).fill(404))
    const more = await app.request('POST', '/api/events', [...batches, { job: 'a', events: [progress(1)] }])
    expect(await refusalOf(more)).toEqual({ status: 413, fields: ['body'] })
    expect((await app.document('a')).version).toBe(1)
  })

  test('POST /api/events takes the events of a batch that its engine and its limits take', async () => {
    const app = new TestApp({ limits: { batchEvents: 3, eventBytes: 2_000, resultBytes: 1_000, metadataBytes: 100 } })
    for (const id of ['a', 'b', 'c', 'd']) await app.create({ id })
    const logs = (count: number, length: number) => Array(count).fill({ type: 'log', message: 'm'.repeat(length) })
    const batches = [
      { job: 'a', events: logs(4, 1) },
      { job: 'b', events: logs(3, 1) },
      { job: 'c', events: [...logs(1, 1), ...logs(1, 2_000)] },
      // Too long to be parsed.
      { job: 'd', events: [...logs(1, 1), ...logs(1, 20_000)] },
      { job: 'd', events: [...logs(1, 1), { type: 'status', status: 'running', result: Array(10_000).fill(0) }] },
      { job: 'd', events: Array(3).fill({ type: 'log', message: 'm', ...Array(1_000).fill(0) }) },
    ]
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    const events = 'events'
    expect(briefly(answers)).toEqual([[413, events], 4, [413, '1'], [413, events], [413, events], [422, events]])
  })

  test('POST /api/events is for producers: other tokens get what they get for each job', async () => {
    const app = new TestApp()
    for (const id of ['a', 'b']) await app.create({ id })
    await app.create({ id: 'c', owner: 'ada' })
    const batches = ['a', 'b'].map((job) => ({ job, events: [progress(1)] }))
    const share = async (can: string) => {
      const response = await app.request('POST', '/api/jobs/a/tokens', { can })
      return ((await response.json()) as { token: string }).token
    }
    const statuses = async (token: string) => {
      const authorization = `Bearer ${token}`
      const answers = await answersOf(await app.request('POST', '/api/events', batches, { authorization }))
      return answers.map(({ version, status }) => status ?? version)
    }
    expect(await statuses(await share('publish'))).toEqual([2, 404])
    expect(await statuses(await share('watch'))).toEqual([401, 404])
    expect(await statuses(await virtualToken('mallory'))).toEqual([404, 404])
    expect(await statuses(await virtualToken('ada', 'jobs:read'))).toEqual([403, 403])
    expect(await statuses(await virtualToken('root', 'jobs:admin'))).toEqual([3, 2])
    const nobody = await app.request('POST', '/api/events', batches, { authorization: 'Bearer x' })
    expect((await refusalOf(nobody)).status).toBe(401)
  })

  test('POST /api/events counts each batch as a publish, and all of its bytes', async () => {
    const app = new TestApp({ limits: { publishesPerSecond: 5, publishBytesPerSecond: 10_000 } })
    await app.create({ id: 'a' })
    const send = (count: number, message: string) =>
      app.request('POST', '/api/events', Array(count).fill({ job: 'a', events: [{ type: 'log', message }] }))
    expect((await send(11, 'm')).status).toBe(200)
    const refused = await send(1, 'm')
    expect(((await refused.json()) as ProblemDocument).limit).toBe('publishesPerSecond')
    await app.clock.advance(3_000)
    expect((await send(9, 'm'.repeat(3_000))).status).toBe(200)
    const heavy = await send(1, 'm')
    expect(((await heavy.json()) as ProblemDocument).limit).toBe('publishBytesPerSecond')
  })

  test('POST /api/events answers a batch that fails with a problem, and the others as usual', async () => {
    const app = new TestApp()
    for (const id of ['a', 'b']) await app.create({ id })
    const apply = spyOn(app.engine, 'apply').mockImplementationOnce(() => Promise.reject(new Error('broken')))
    const batches = ['a', 'b'].map((job) => ({ job, events: [progress(1)] }))
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    apply.mockRestore()
    expect(briefly(answers)).toEqual([[500], 2])
    expect(app.errors).toEqual([new Error('broken')])
  })

  test('POST /api/events applies at once no more than one batch may have', async () => {
    const app = new TestApp({ limits: { batchEvents: 4 } })
    for (const id of ['a', 'b', 'c', 'd']) await app.create({ id })
    let open = 0
    const most: number[] = []
    const { apply } = app.engine
    const applied = spyOn(app.engine, 'apply').mockImplementation(async (...args) => {
      open += args[1].events.length
      most.push(open)
      await Promise.resolve()
      open -= args[1].events.length
      return apply.call(app.engine, ...args)
    })
    const batches = ['a', 'b', 'c', 'd'].map((job) => ({ job, events: [progress(1), progress(2)] }))
    expect(briefly(await answersOf(await app.request('POST', '/api/events', batches)))).toEqual([3, 3, 3, 3])
    applied.mockRestore()
    expect(most).toEqual([2, 4, 2, 4])
  })

  test('POST /api/events applies at most 256 batches at once', async () => {
    const app = new TestApp()
    await app.create({ id: 'a' })
    let open = 0
    let most = 0
    const applied = spyOn(app.engine, 'apply').mockImplementation(async () => {
      open += 1
      most = Math.max(most, open)
      await new Promise((resolve) => setImmediate(resolve))
      open -= 1
      return { refused: problems.conflict('No.') }
    })
    const batches = Array.from({ length: 1_000 }, (_, n) => ({ job: `${n}`, events: [progress(1)] }))
    const answers = await answersOf(await app.request('POST', '/api/events', batches))
    applied.mockRestore()
    expect([answers.length, most]).toEqual([1_000, 256])
  })

  test('POST /api/events escapes what a refusal repeats of the request', async () => {
    const app = new TestApp()
    const hidden = { job: 'a', events: [progress(1)], '\u202e': 1 }
    const text = await (await app.request('POST', '/api/events', [hidden])).text()
    expect(text).toContain('\\u202e')
    expect(text).not.toContain('\u202e')
  })
})
