import { describe, expect, test } from 'bun:test'
import { BATCHES_LIMIT } from '../../../../shared/document/limits.ts'
import type { Sent } from '../../../../shared/producer/batcher.ts'
import { readAnswer } from '../../../../shared/producer/http-sender.ts'
import { Outbox } from '../../../../shared/producer/outbox.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'
import { settle } from '../../../virtual-clock.ts'

const receipt = { version: 3, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
const problem = (status: number) => ({ type: 'urn:milepost:test', title: 'Test', status, detail: `No: ${status}.` })
const log = (message: string) => [{ type: 'log', message }]

/** An outbox whose requests a test answers, and the outcomes of its batches. */
function create() {
  const environment = new FakeEnvironment()
  const outbox = new Outbox(async (path, body, headers, isOurs, signal) => {
    try {
      const response = await environment.fetch(path, { method: 'POST', body, headers, signal })
      return await readAnswer(response, isOurs, 0)
    } catch {
      return { failed: { retry: true } }
    }
  })
  const sent: Record<string, Sent> = {}
  const abort = new AbortController()
  const send = async (job: string, events: object[] = log(job), epoch?: string) => {
    const batch = { job, epoch, key: `key of ${job}`, events: JSON.stringify(events), signal: abort.signal }
    sent[job] = await outbox.send(batch)
  }
  const { requests } = environment
  const bodies = () => requests.map(({ url, body }) => [url, JSON.parse(String(body))])
  return { environment, requests, bodies, sent, send, abort }
}

describe('Outbox', () => {
  test('Outbox sends the batches of one turn in one request, each with its epoch and key', async () => {
    const { environment, bodies, sent, send } = create()
    for (const job of ['a', 'b']) void send(job)
    void send('c', log('c'), 'e1')
    await settle()
    expect(bodies()).toEqual([
      [
        'api/events',
        [
          { job: 'a', key: 'key of a', events: log('a') },
          { job: 'b', key: 'key of b', events: log('b') },
          { job: 'c', epoch: 'e1', key: 'key of c', events: log('c') },
        ],
      ],
    ])
    await environment.request.answer(200, [receipt, problem(409), { ...receipt, version: 9 }])
    expect(sent).toEqual({ a: { receipt }, b: { refused: 'No: 409.' }, c: { receipt: { ...receipt, version: 9 } } })
  })

  test('Outbox does with the problem of a batch what its own request would do', async () => {
    const { environment, sent, send } = create()
    const statuses = [400, 401, 403, 404, 413, 422, 429, 500, 503]
    for (const status of statuses) void send(`${status}`)
    await settle()
    await environment.request.answer(200, statuses.map(problem))
    const alone = create()
    for (const status of statuses) {
      void alone.send(`${status}`)
      await settle()
      await alone.environment.request.answer(status, problem(status))
    }
    const known = (outcomes: Record<string, Sent>) =>
      Object.entries(outcomes).map(([job, outcome]) => [job, 'retry' in outcome ? 'retry' : outcome])
    expect(known(sent)).toEqual(known(alone.sent))
  })

  test('Outbox sends a lone batch to its job', async () => {
    const { environment, bodies, requests, sent, send } = create()
    void send('a', log('a'), 'e1')
    await settle()
    expect(bodies()).toEqual([['api/jobs/a/events?epoch=e1', log('a')]])
    expect(requests[0]?.headers.get('idempotency-key')).toBe('key of a')
    await environment.request.answer(200, receipt)
    expect(sent).toEqual({ a: { receipt } })
  })

  test('Outbox sends no more batches in one request, nor longer ones, than a server takes', async () => {
    const { bodies, send } = create()
    for (let n = 0; n <= BATCHES_LIMIT; n++) void send(`${n}`)
    const long = log('m'.repeat(600_000))
    for (const job of ['a', 'b']) void send(job, long)
    await settle()
    expect(bodies().map(([url, body]) => [url, body.length])).toEqual([
      ['api/events', BATCHES_LIMIT],
      ['api/events', 2],
      ['api/jobs/b/events', 1],
    ])
  })

  test('Outbox sends each batch by itself to a server that has no such request, from then on', async () => {
    const { environment, requests, sent, send } = create()
    for (const job of ['a', 'b']) void send(job)
    await settle()
    await environment.request.answer(404, problem(404))
    expect(requests.map(({ url }) => url)).toEqual(['api/events', 'api/jobs/a/events', 'api/jobs/b/events'])
    for (const request of requests.slice(1)) await request.answer(200, receipt)
    expect(sent).toEqual({ a: { receipt }, b: { receipt } })
    for (const job of ['a', 'b']) void send(job)
    await settle()
    expect(requests.slice(3).map(({ url }) => url)).toEqual(['api/jobs/a/events', 'api/jobs/b/events'])
  })

  test('Outbox sends each batch by itself after a 404 of a proxy, and asks again next time', async () => {
    const { environment, requests, send } = create()
    for (const job of ['a', 'b']) void send(job)
    await settle()
    await environment.request.answerForeign(404, '<h1>404</h1>')
    expect(requests).toHaveLength(3)
    for (const job of ['a', 'b']) void send(job)
    await settle()
    expect(requests.slice(3).map(({ url }) => url)).toEqual(['api/events'])
  })

  test('Outbox sends shorter requests after one that is too large, for the server or for a proxy', async () => {
    for (const refuse of ['answer', 'answerForeign'] as const) {
      const { environment, requests, send } = create()
      const long = log('m'.repeat(300_000))
      const jobs = ['a', 'b', 'c']
      for (const job of jobs) void send(job, long)
      await settle()
      await environment.request[refuse](413, problem(413))
      expect(requests.slice(1).map(({ url }) => url)).toEqual(jobs.map((job) => `api/jobs/${job}/events`))
      for (const job of jobs) void send(job, long)
      await settle()
      expect(requests.slice(4).map(({ url }) => url)).toEqual(jobs.map((job) => `api/jobs/${job}/events`))
      for (const job of jobs) void send(job)
      await settle()
      expect(requests.at(-1)?.url).toBe('api/events')
    }
  })

  test.each([
    ['no answer', undefined],
    ['a page of a proxy', '<h1>OK</h1>'],
    ['too few answers', [receipt]],
    ['answers that are none', [receipt, { ok: true }]],
  ])('Outbox has every batch tried again after %s', async (_, body) => {
    const { environment, sent, send } = create()
    for (const job of ['a', 'b']) void send(job)
    await settle()
    if (body === undefined) await environment.request.fail()
    else await environment.request.answerForeign(200, body)
    expect(Object.values(sent).map((outcome) => 'retry' in outcome)).toEqual([true, true])
  })

  test('Outbox hands a named wait on to every batch', async () => {
    const { environment, sent, send } = create()
    for (const job of ['a', 'b']) void send(job)
    await settle()
    await environment.request.answer(429, problem(429), { 'retry-after': '7' })
    expect(Object.values(sent)).toEqual(Array(2).fill({ retry: true, afterMs: 7_000, tooLarge: false }))
  })

  test('Outbox ends a request whose time is over', async () => {
    const { requests, sent, send, abort } = create()
    for (const job of ['a', 'b']) void send(job)
    await settle()
    abort.abort()
    await settle()
    expect([requests[0]?.isOver, sent]).toEqual([true, { a: { retry: true }, b: { retry: true } }])
  })
})
