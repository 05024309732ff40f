import { beforeEach, describe, expect, test } from 'bun:test'
import { RemoteJobs } from '../../../../server/cli/remote-jobs.ts'
import type { ProducerEvent } from '../../../../shared/document/events.ts'
import type { Receipt } from '../../../../shared/wire/api.ts'
import { newHeader } from '../../../arbitraries.ts'
import { VirtualClock } from '../../../virtual-clock.ts'
import { finish } from '../services/recorder.ts'

const receipt: Receipt = { version: 2, cancelRequested: false, pauseRequested: false, watched: true, flushMs: 250 }
const problem = (status: number) =>
  Response.json(
    { type: 'urn:milepost:test', detail: `a problem of ${status}` },
    { status, headers: { 'content-type': 'application/problem+json' } },
  )
const refusal = { status: 403, headers: { 'content-type': 'application/problem+json' } }
const page = (status: number) => new Response('<h1>A page</h1>', { status, headers: { 'content-type': 'text/html' } })
type Answer = (events: ProducerEvent[]) => Response | Promise<Response>

let answer: Answer
let requests: { key: string | null; events: ProducerEvent[] }[]
let clock: VirtualClock
let jobs: RemoteJobs
beforeEach(() => {
  requests = []
  clock = new VirtualClock()
  jobs = new RemoteJobs(new URL('http://milepost.example/'), 'token', {
    clock,
    async fetch(_url, { body, headers, signal }) {
      const events: ProducerEvent[] = JSON.parse(String(body))
      requests.push({ key: new Headers(headers).get('idempotency-key'), events })
      const { promise, reject } = Promise.withResolvers<never>()
      signal?.addEventListener('abort', () => reject(signal.reason))
      return Promise.race([answer(events), promise])
    },
  })
})

const emitLogs = (count: number) => {
  for (let i = 0; i < count; i++) jobs.emitter.emit('job', { type: 'log', message: `${i}` })
}
/** What the server took, in the order in which it came. */
const taken: string[] = []
const take: Answer = (events) => {
  for (const event of events) if (event.type === 'log') taken.push(event.message)
  return Response.json(receipt)
}
beforeEach(() => taken.splice(0))

describe('RemoteJobs', () => {
  test('RemoteJobs loses nothing to a server that takes few events at once', async () => {
    answer = (events) => (events.length > 32 ? problem(413) : take(events))
    emitLogs(500)
    expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
    expect(taken).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`))
    expect([jobs.emitter.dropped, clock.pending]).toEqual([0, 0])
  })

  test('RemoteJobs drops the one event that is not valid to the server, and none beside it', async () => {
    const isBad = (event: ProducerEvent) => event.type === 'log' && event.message === '7'
    answer = (events) => (events.some(isBad) ? problem(422) : take(events))
    emitLogs(20)
    expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
    expect([taken.length, taken.includes('7'), jobs.emitter.dropped]).toEqual([19, false, 1])
  })

  test.each([401, 408, 429, 500, 503])('RemoteJobs tries again after %d, with the same key', async (status) => {
    answer = (events) => (requests.length < 3 ? problem(status) : take(events))
    emitLogs(3)
    expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
    expect([taken, new Set(requests.map(({ key }) => key)).size]).toEqual([['0', '1', '2'], 1])
  })

  test.each([200, 401, 403, 404, 409, 422, 502])(
    "RemoteJobs takes a proxy's page of %d for no word of the server's",
    async (status) => {
      answer = (events) => (requests.length < 3 ? page(status) : take(events))
      emitLogs(3)
      expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
      expect([taken, jobs.emitter.dropped]).toEqual([['0', '1', '2'], 0])
    },
  )

  test('RemoteJobs sends less at once to a proxy that takes less than the server, and says so at the end if it takes nothing', async () => {
    answer = (events) => (events.length > 1 ? page(413) : take(events))
    emitLogs(4)
    expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
    expect([taken, jobs.emitter.dropped]).toEqual([['0', '1', '2', '3'], 0])
    answer = () => page(404)
    emitLogs(1)
    expect(await finish(jobs.finish('job'), clock)).toEqual({
      why: 'It answers 404: This is not a response of Milepost: check the proxy in front of it.',
      isRefused: false,
    })
  })

  test('RemoteJobs.create prints what a server says on one line, without control characters', async () => {
    answer = () => Response.json({ type: 'urn:milepost:forbidden', detail: 'No.\nDone\u001b[2J' }, refusal)
    const failure = await jobs.create({ kind: 'sync', title: 'sync' }).catch((error: unknown) => error)
    expect(String(failure)).toEndWith('It answers 403: No.\\u{a}Done\\u{1b}[2J')
  })

  test('RemoteJobs.create names the life of its job with each batch, and believes no page', async () => {
    const urls: string[] = []
    const remote = new RemoteJobs(new URL('http://milepost.example/'), 'token', {
      clock,
      async fetch({ href }) {
        urls.push(href)
        return href.endsWith('/api/jobs')
          ? Response.json(newHeader({ id: 'j1' }), { status: 201 })
          : Response.json(receipt)
      },
    })
    expect(await remote.create({ kind: 'sync', title: 'Files' })).toBe('j1')
    remote.emitter.emit('j1', { type: 'log', message: 'one' })
    expect(await finish(remote.finish('j1'), clock)).toBeUndefined()
    expect(urls.at(-1)).toBe('http://milepost.example/api/jobs/j1/events?epoch=e1')
    for (const status of [200, 404]) {
      answer = () => page(status)
      expect(jobs.create({ kind: 'sync', title: 'Files' })).rejects.toThrow('This is not a response of Milepost')
    }
  })

  test('RemoteJobs gives a request up that is not answered in time, and sends it again', async () => {
    const never = Promise.withResolvers<Response>()
    answer = (events) => (requests.length === 1 ? never.promise : take(events))
    emitLogs(3)
    expect(await finish(jobs.finish('job'), clock)).toBeUndefined()
    expect([taken, requests[0]?.key]).toEqual([['0', '1', '2'], requests[1]?.key])
  })

  test('RemoteJobs.finish answers why a server does not take the end, and does not wait for it for ever', async () => {
    answer = () => problem(401)
    emitLogs(1)
    const begun = clock.now()
    expect(await finish(jobs.finish('job'), clock)).toEqual({
      why: 'It answers 401: a problem of 401',
      isRefused: false,
    })
    expect(clock.now() - begun).toBeLessThan(240_000)
  })

  test.each([403, 404, 409])(
    'RemoteJobs.finish answers that a server refused a job with %d, at once',
    async (status) => {
      answer = () => problem(status)
      emitLogs(2)
      const begun = clock.now()
      await jobs.emitter.flush('job')
      answer = () => problem(status === 409 ? 404 : 409)
      emitLogs(1)
      expect(await finish(jobs.finish('job'), clock)).toEqual({
        why: `It answers ${status}: a problem of ${status}`,
        isRefused: true,
      })
      expect([clock.now() - begun, clock.pending]).toEqual([0, 0])
    },
  )
})
