import { describe, expect, test } from 'bun:test'
import { unique } from '../../support/api-client.ts'
import { ReportClient } from '../../support/report-client.ts'
import { signIn } from '../../support/sign-in.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

const progress = (done: number) => [{ type: 'progress', done }]

/** The WebSocket of producers. */
export function describeReport(subject: RuntimeSubject): void {
  const open = async (sub: string, scope?: string) =>
    ReportClient.open(subject.server.url, { authorization: `Bearer ${await accessToken(sub, scope)}` })

  describe('GET /api/report', () => {
    test('GET /api/report answers each frame by its number, as its own request would be', async () => {
      const [ada, bob] = [await subject.client('ada'), await subject.client('bob')]
      const { id, epoch } = await ada.create()
      const others = (await bob.create()).id
      const socket = await open('ada')
      const key = unique('key')
      const receipt = { cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
      expect(await socket.ask({ n: 0, job: id, events: progress(1), key })).toEqual({ n: 0, version: 2, ...receipt })
      expect(await socket.ask({ n: 1, job: id, epoch, events: progress(1), key })).toMatchObject({ n: 1, version: 2 })
      const refusals: [frame: object, status: number, fields?: string[]][] = [
        [{ job: others, events: progress(1) }, 404],
        [{ job: 'none', events: progress(1) }, 404],
        [{ job: id, epoch: 'other', events: progress(1) }, 404],
        [{ job: id, events: progress(2), key }, 422, ['Idempotency-Key']],
        [{ job: id, events: [...progress(1), { type: 'log' }] }, 422, ['1.message']],
        [{ job: others, events: [] }, 404],
        [{ job: id, epoch: 'other', events: [] }, 404],
        [{ job: id, events: progress(1), more: 1 }, 422, ['more']],
        [{ events: progress(1) }, 422, ['job']],
      ]
      for (const [index, [frame, status, fields]] of refusals.entries()) {
        const { n, problem } = await socket.ask({ n: index, ...frame })
        expect([n, problem?.status, problem?.errors?.map(({ field }) => field)]).toEqual([index, status, fields])
      }
      await ada.publish(id, { type: 'status', status: 'completed' })
      expect((await socket.ask({ n: 9, job: id, events: progress(3) })).problem?.status).toBe(409)
      expect([(await ada.read(id)).version, (await bob.read(others)).version]).toEqual([3, 1])
      await socket.close()
    })

    test('GET /api/report applies the frames of a job in order, of which 64 may wait for their answers', async () => {
      const ada = await subject.client('ada')
      const ids = [(await ada.create()).id, (await ada.create()).id]
      const socket = await open('ada')
      const answered: (number | undefined)[] = []
      let sent = 0
      const send = () => {
        const job = ids[sent % 2]
        const key = sent % 3 === 0 ? { key: `${sent}` } : {}
        socket.send({ n: sent, job, events: [{ type: 'log', message: `${sent}` }], ...key })
        sent += 1
      }
      while (sent < 64) send()
      while (answered.length < 300) {
        answered.push((await socket.next()).n)
        if (sent < 300) send()
      }
      expect(answered.toSorted((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n))
      for (const [half, id] of ids.entries()) {
        const { logs } = await ada.read(id)
        expect(logs.map(({ message }) => message)).toEqual(Array.from({ length: 150 }, (_, n) => `${2 * n + half}`))
      }
      await socket.close()
    })

    test('GET /api/report pushes what watchers ask of the jobs that it was used for, and of no others', async () => {
      const ada = await subject.client('ada')
      const [first, other] = [await ada.create(), await ada.create()]
      const socket = await open('ada')
      for (const n of [1, 2]) await socket.ask({ n, job: first.id, events: [{ type: 'status', status: 'running' }] })
      await ada.operate(other.id, 'pause')
      await ada.operate(first.id, 'pause')
      expect(await socket.next()).toEqual({ job: first.id, version: 4, cancelRequested: false, pauseRequested: true })
      await ada.operate(first.id, 'resume')
      expect(await socket.next()).toMatchObject({ version: 5, pauseRequested: false })
      // An event of another producer asks for nothing.
      await ada.publish(first.id, { type: 'log', message: 'm' })
      await ada.operate(first.id, 'cancel')
      expect(await socket.next()).toMatchObject({ version: 7, cancelRequested: true })
      expect(await socket.ask({ n: 3, job: first.id, events: progress(1) })).toMatchObject({
        version: 8,
        cancelRequested: true,
        watched: false,
      })
      await socket.close()
    })

    test('GET /api/report answers a frame without events with the receipt, and pushes what is asked afterwards', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await ada.publish(id, { type: 'status', status: 'running' })
      await ada.operate(id, 'pause')
      const socket = await open('ada')
      const receipt = { version: 3, cancelRequested: false, pauseRequested: true, watched: false, flushMs: 5_000 }
      expect(await socket.ask({ n: 1, job: id, epoch, events: [] })).toEqual({ n: 1, ...receipt })
      await ada.operate(id, 'cancel')
      expect(await socket.next()).toEqual({ job: id, version: 4, cancelRequested: true, pauseRequested: true })
      expect((await ada.read(id)).version).toBe(4)
      // One that is cancelled while it is pending ends in the same moment.
      const pending = (await ada.create()).id
      expect(await socket.ask({ n: 2, job: pending, events: [] })).toMatchObject({ version: 1 })
      await ada.operate(pending, 'cancel')
      expect(await socket.next()).toMatchObject({ job: pending, version: 3, cancelRequested: true })
      await socket.close()
    })

    test('GET /api/report with a publish token is for its job, until the token is revoked', async () => {
      const ada = await subject.client('ada')
      const [{ id }, other] = [await ada.create(), await ada.create()]
      const { token } = await ada.share(id, { can: 'publish' })
      const socket = await ReportClient.open(subject.server.url, { authorization: `Bearer ${token}` })
      expect(await socket.ask({ n: 1, job: id, events: progress(1) })).toMatchObject({ version: 2 })
      expect((await socket.ask({ n: 2, job: other.id, events: progress(1) })).problem?.status).toBe(404)
      await ada.request('DELETE', `api/jobs/${id}/tokens`)
      expect((await socket.ask({ n: 3, job: id, events: progress(1) })).problem?.status).toBe(401)
      expect((await socket.closed).code).toBe(1008)
      expect((await ada.read(id)).version).toBe(2)
    })

    test('GET /api/report refuses who may not report, and what is no handshake', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const watch = (await ada.share(id)).token
      const refusals = [
        [{}, 401],
        [{ authorization: `Bearer ${watch}` }, 401],
        [{ authorization: `Bearer ${await accessToken('ada', 'jobs:read')}` }, 403],
      ] as const
      for (const [headers, status] of refusals) {
        expect((await subject.anyone.refusal('GET', 'api/report', undefined, headers)).status).toBe(status)
        expect(await ReportClient.open(subject.server.url, headers).catch(String)).toContain('Not accepted')
      }
      expect(await ada.refusal('GET', 'api/report')).toEqual({ status: 422, fields: ['Upgrade'] })
    })

    test('GET /api/report with a cookie is for our own pages, and ends when its session does', async () => {
      const { url } = subject.server
      const { cookie } = await signIn(url, 'eve')
      const { origin } = new URL(url)
      for (const headers of [
        { cookie },
        { cookie, origin: 'https://evil.example' },
        { cookie, origin: 'https://app.example' },
        { cookie, origin, 'sec-fetch-site': 'cross-site' },
      ])
        expect(await ReportClient.open(url, headers).catch(String)).toContain('Not accepted')
      const socket = await ReportClient.open(url, { cookie, origin })
      const eve = await subject.client('eve')
      const { id } = await eve.create()
      expect(await socket.ask({ n: 1, job: id, events: progress(1) })).toMatchObject({ version: 2 })
      await subject.anyone.request('POST', 'sign-out', undefined, { cookie, origin, 'sec-fetch-site': 'same-origin' })
      expect((await socket.closed).code).toBe(1001)
    })

    test('GET /api/report closes with a reason when a frame is none, is too large, or one too many', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const good = { n: 1, job: id, events: progress(1) }
      const closing: [frames: unknown[], code: number][] = [
        [['x'], 1008],
        [[{ job: id, n: 1, events: progress(1) }], 1008],
        [[`${JSON.stringify(good)}{`], 1008],
        [[new Uint8Array(8)], 1003],
        [[`{"n":1,"job":"${'x'.repeat(1_048_576)}"}`], 1009],
      ]
      for (const [frames, code] of closing) {
        const socket = await open('ada')
        for (const frame of frames) socket.send(frame)
        const closed = await socket.closed
        expect([JSON.stringify(frames[0]).slice(0, 60), closed.code, closed.reason.length > 0]).toEqual([
          JSON.stringify(frames[0]).slice(0, 60),
          code,
          true,
        ])
      }
      expect((await ada.read(id)).version).toBe(1)
    })

    test('GET /api/report closes with a reason when more than 64 frames are unanswered', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const socket = await open('ada')
      const closed = socket.closed.then(({ code, reason }) => `${code} ${reason}`)
      // One burst is enough, unless the first are answered before the last arrives.
      for (let outcome = ''; outcome === ''; ) {
        for (let n = 0; n < 65; n++) socket.send({ n, job: id, events: progress(n) })
        outcome = await Promise.race([closed, Bun.sleep(100).then(() => '')])
      }
      expect(await closed).toBe('1008 Wait for answers: at most 64 frames may be unanswered.')
    }, 60_000)

    test('GET /api/report counts against the limit of streams', async () => {
      const { url } = subject.strict
      const headers = { authorization: `Bearer ${await accessToken('carol')}` }
      const sockets = [await ReportClient.open(url, headers), await ReportClient.open(url, headers)]
      const carol = await subject.strictClient('carol')
      const { id } = await carol.create()
      const stream = await carol.stream(`api/jobs/${id}/progress`)
      expect(await ReportClient.open(url, headers).catch(String)).toContain('Not accepted')
      const operator = await subject.strictClient('root', 'jobs:admin')
      const metrics = await (await operator.request('GET', 'metrics')).text()
      expect(metrics).toMatch(/^milepost_watchers\{view="report"\} 2$/m)
      for (const socket of sockets) await socket.close()
      await stream.close()
    })
  })
}
