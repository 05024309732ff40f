import { describe, expect, test } from 'bun:test'
import { createReporter } from '../../../client/producer/reporter.ts'
import type { Job, JobHeader } from '../../../shared/document/job.ts'
import type { ProblemDocument, Receipt } from '../../../shared/wire/api.ts'
import { ReportClient } from '../../support/report-client.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Jobs that ask, and people who answer. */
export function describeAsks(subject: RuntimeSubject): void {
  const running = { type: 'status', status: 'running' } as const
  const ask = (id: string, fields: object = {}) => ({ type: 'ask', id, message: `${id}?`, ...fields }) as const

  describe('POST /api/jobs/:id/answers/:ask', () => {
    test('POST …/answers/:ask takes one answer of the owner, tells everybody, and keeps it in the document', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.take(1)
      await ada.publish(id, running)
      const asked = await ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, [
        ask('deploy', { schema: { type: 'string', enum: ['now', 'later'] } }),
        ask('mail'),
      ])
      expect([asked.version, asked.answers]).toEqual([4, undefined])
      expect(await ada.read(id)).toMatchObject({
        openAsks: 2,
        asks: [{ id: 'deploy' }, { id: 'mail', message: 'mail?' }],
      })
      const path = `api/jobs/${id}/answers/deploy`
      expect(await ada.refusal('POST', path, { value: 'never' })).toEqual({ status: 422, fields: ['value'] })
      const people = [await subject.client('ada'), await subject.client('root', 'jobs:admin')]
      const answers = await Promise.all(people.map((one) => one.request('POST', path, { value: 'now' })))
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 409])
      const [won, lost] = answers.toSorted((a, b) => a.status - b.status)
      const header = (await won?.json()) as JobHeader
      const [{ answer } = {}] = header.asks ?? []
      expect([header.openAsks, answer?.value]).toEqual([1, 'now'])
      expect((await lost?.json()) as ProblemDocument).toMatchObject({ status: 409, answered: answer as never })
      expect((await ada.read(id)).asks?.[0]).toMatchObject({ answer })
      const receipt = await ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, { type: 'log', message: 'm' })
      expect(receipt.answers).toEqual([{ ask: 'deploy', value: 'now', by: answer?.by ?? '' }])
      // Clients from before there were asks know no such events: they get patches.
      const seen: string[] = []
      for (let version = 0; version < receipt.version; ) {
        const message = await stream.next()
        seen.push(message?.event ?? 'end')
        version = Number(message?.data.version ?? message?.data.to)
      }
      expect(seen.filter((event) => event === 'ask' || event === 'answer')).toEqual([])
      await ada.publish(id, { type: 'status', status: 'completed' })
      const late = await ada.json<ProblemDocument>(409, 'POST', `api/jobs/${id}/answers/mail`, { value: true })
      expect(late.jobStatus).toBe('completed')
    })

    test('POST …/answers/:ask is for the owner, about what was asked, in time', async () => {
      const [ada, bob] = [await subject.client('ada'), await subject.client('bob')]
      const { id } = await ada.create()
      await ada.publish(id, running, ask('late', { expiresAt: '2026-01-01T01:00:00+01:00' }), ask('a'))
      expect((await ada.read(id)).asks?.[0]?.expiresAt).toBe('2026-01-01T00:00:00.000Z')
      const answer = { value: true }
      expect((await bob.refusal('POST', `api/jobs/${id}/answers/a`, answer)).status).toBe(404)
      const producer = await subject.client('ada', 'jobs:write')
      expect((await producer.refusal('POST', `api/jobs/${id}/answers/a`, answer)).status).toBe(403)
      expect((await ada.refusal('POST', `api/jobs/${id}/answers/other`, answer)).status).toBe(404)
      expect((await ada.refusal('POST', `api/jobs/${id}/answers/late`, answer)).status).toBe(409)
      // What was read has become another question.
      await ada.publish(id, ask('a', { message: 'Delete production?' }))
      const read = { value: true, message: 'a?' }
      expect((await ada.refusal('POST', `api/jobs/${id}/answers/a`, read)).status).toBe(409)
      expect((await ada.read(id)).asks?.find((one) => one.id === 'a')?.answer).toBeUndefined()
      for (const body of [{}, { value: null }, { value: true, message: 1 }, { value: true, by: 'eve' }, []])
        expect((await ada.refusal('POST', `api/jobs/${id}/answers/a`, body)).status).toBe(422)
      const large = ask('large', { message: 'x'.repeat(8_100), schema: { type: 'string', title: 'y'.repeat(400) } })
      expect(await ada.refusal('POST', `api/jobs/${id}/events`, large)).toMatchObject({ status: 422 })
      // Another job: how long "late" counts depends on when the engine looks for asks that expired.
      const other = await ada.create()
      const many = [running, ...Array.from({ length: 21 }, (_, n) => ask(`${n}`))]
      expect(await ada.refusal('POST', `api/jobs/${other.id}/events`, many)).toEqual({ status: 413, fields: ['21.id'] })
    })

    test('an answer reaches a producer at once over its WebSocket, and the promise of a reporter', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const socket = await ReportClient.open(subject.server.url, {
        authorization: `Bearer ${await accessToken('ada')}`,
      })
      await socket.ask({ n: 1, job: id, events: [running, ask('a')] })
      await ada.request('POST', `api/jobs/${id}/answers/a`, { value: false })
      expect(await socket.next()).toEqual({
        job: id,
        version: 4,
        cancelRequested: false,
        pauseRequested: false,
        answers: [{ ask: 'a', value: false, by: 'ada' }],
      } as never)
      await socket.close()
      const options = { url: subject.server.url, token: await accessToken('ada') }
      const reporter = createReporter({ ...options, fetch: (url, init) => fetch(url, init) })
      const job = reporter.job(id)
      // An earlier try has asked, and was answered.
      expect(await job.ask({ id: 'a', message: 'a?' })).toEqual({ value: false, by: 'ada' })
      const asked = job.ask({ id: 'b', message: 'b?', schema: { type: 'integer', minimum: 1 } })
      while ((await ada.read(id)).openAsks !== 1) await Bun.sleep(10)
      await ada.json<Job>(202, 'POST', `api/jobs/${id}/answers/b`, { value: 3 })
      void job.flush()
      job.log({ message: 'm' })
      expect(await asked).toEqual({ value: 3, by: 'ada' })
      const lost = job.ask({ id: 'c', message: 'c?' })
      await job.flush()
      await ada.operate(id, 'cancel')
      job.log({ message: 'm' })
      await job.flush()
      expect(await lost).toEqual({ ended: true })
      await reporter.close()
    })
  })
}
