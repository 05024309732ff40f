import { describe, expect, test } from 'bun:test'
import { CloudEvent, HTTP, type Message } from 'cloudevents'
import type { Problem } from '../../../server/errors.ts'
import type { Receipt } from '../../../shared/wire/api.ts'
import { type ApiClient, unique } from '../../support/api-client.ts'
import type { RuntimeSubject } from './runtime.ts'

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'

/** Producers that send CloudEvents, as the SDK writes them. */
export function describeCloudEvents(subject: RuntimeSubject): void {
  const send = (who: ApiClient, { headers, body }: Message) =>
    who.request('POST', 'api/cloudevents', String(body), headers as Record<string, string>)
  const sendAs = (who: ApiClient, body: unknown, headers: Record<string, string>) =>
    who.request('POST', 'api/cloudevents', JSON.stringify(body), headers)
  const refused = async (who: ApiClient, body: unknown, headers: Record<string, string>) => {
    const { status, fields } = await who.refusal('POST', 'api/cloudevents', JSON.stringify(body), headers)
    return { status, fields }
  }
  const event = (job: string, type: string, data: object, more: object = {}) =>
    new CloudEvent({ source: '/exports', type: `milepost.${type}`, subject: job, data, ...more })
  const versionOf = async (response: Response) => ((await response.json()) as Receipt).version

  describe('cloudevents', () => {
    test('POST /api/cloudevents takes events of the SDK, binary and structured, and applies each once by its id and source', async () => {
      const ada = await subject.client(unique('ada'))
      const { id } = await ada.create()
      const running = event(id, 'status', { status: 'running' })
      expect(await versionOf(await send(ada, HTTP.binary(running)))).toBe(2)
      const progress = event(id, 'progress', { done: 13, total: 100, unit: 'rows' }, { traceparent: '00-1-2-01' })
      expect(await versionOf(await send(ada, HTTP.structured(progress)))).toBe(3)
      expect(await versionOf(await send(ada, HTTP.structured(progress)))).toBe(3)
      expect(await versionOf(await send(ada, HTTP.binary(progress)))).toBe(3)
      const elsewhere = progress.cloneWith({ source: '/imports', data: { type: 'progress', done: 14 } })
      expect(await versionOf(await send(ada, HTTP.binary(elsewhere)))).toBe(4)
      expect(await versionOf(await send(ada, HTTP.structured(elsewhere)))).toBe(4)
      const named = event(id, 'log', { message: 'named' }, { id: 'größer' })
      expect(await versionOf(await send(ada, HTTP.structured(named)))).toBe(5)
      // Not by the SDK, which leaves out to encode it (HTTP binding, 3.1.3.2).
      const encoded = { ...(HTTP.binary(named).headers as Record<string, string>), 'ce-id': 'gr%C3%B6%C3%9Fer' }
      expect(await versionOf(await sendAs(ada, { message: 'named' }, encoded))).toBe(5)
      const other = progress.cloneWith({ data: { done: 15 } })
      expect((await send(ada, HTTP.structured(other))).status).toBe(422)
      const { status, version, progress: reported } = await ada.read(id)
      expect({ status, version, reported }).toEqual({
        status: 'running',
        version: 5,
        reported: { done: 14, total: 100, unit: 'rows' },
      })
    })

    test('POST /api/cloudevents takes a batch, in order, and answers each event by itself', async () => {
      const [ada, eve] = await Promise.all([subject.client(unique('ada')), subject.client(unique('eve'))])
      const [first, second, others] = await Promise.all([ada.create(), ada.create(), eve.create()])
      const end = event(first.id, 'status', { status: 'completed' })
      const events = [
        event(first.id, 'item', { id: 'a', status: 'running' }),
        event(second.id, 'log', { message: 'one' }),
        event(first.id, 'item', { id: 'a', status: 'succeeded' }),
        event(others.id, 'log', { message: 'mine' }),
        event(second.id, 'progress', { done: -1 }),
        end,
        event(first.id, 'log', { message: 'late' }),
        end,
      ]
      const answers = (await (await sendAs(ada, events, { 'content-type': BATCH })).json()) as (Receipt | Problem)[]
      const told = answers.map((answer) =>
        'detail' in answer ? [answer.status, ...(answer.errors ?? []).map(({ field }) => field)] : answer.version,
      )
      expect(told).toEqual([2, 2, 3, [404], [422, 'data.done'], 4, [409, 'type'], 4])
      expect((await ada.read(first.id)).items).toMatchObject([{ id: 'a', status: 'succeeded' }])
      expect((await sendAs(ada, [], { 'content-type': BATCH })).status).toBe(200)
    })

    test('POST /api/cloudevents names what is wrong with an event as it was sent', async () => {
      const ada = await subject.client(unique('ada'))
      const { id } = await ada.create()
      const good = event(id, 'progress', { done: 1 }).toJSON()
      const wrong: [string, object][] = [
        ['specversion', { specversion: '0.3' }],
        ['id', { id: '' }],
        ['source', { source: undefined }],
        ['type', { type: 'com.example.progress' }],
        ['type', { type: 'milepost.control' }],
        ['subject', { subject: undefined }],
        ['datacontenttype', { datacontenttype: 'application/xml' }],
        ['data_base64', { data_base64: 'eyJ9' }],
        ['data', { data: 'done' }],
        ['data.done', { data: {} }],
        ['data.type', { data: { type: 'log', done: 1 } }],
        ['data.x', { data: { done: 1, x: 1 } }],
      ]
      for (const [field, change] of wrong) {
        const found = await refused(ada, { ...good, ...change }, { 'content-type': STRUCTURED })
        expect([field, found]).toEqual([field, { status: 422, fields: [field] }])
      }
      const { headers } = HTTP.binary(event(id, 'progress', { done: 1 }))
      const binary = headers as Record<string, string>
      expect(await refused(ada, {}, binary)).toEqual({ status: 422, fields: ['data.done'] })
      const { 'ce-subject': _subject, ...unnamed } = binary
      expect(await refused(ada, { done: 1 }, unnamed)).toEqual({ status: 422, fields: ['ce-subject'] })
      expect(await refused(ada, { done: 1 }, { 'content-type': 'application/json' })).toEqual({
        status: 422,
        fields: ['ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-subject'],
      })
      const send = (body: string, type: string) =>
        ada.refusal('POST', 'api/cloudevents', body, { 'content-type': type })
      expect(await send('{', STRUCTURED)).toEqual({ status: 400, fields: ['body'] })
      expect(await send('{}', BATCH)).toEqual({ status: 400, fields: ['body'] })
      expect(await send('<a/>', 'application/cloudevents+xml')).toEqual({ status: 415, fields: ['Content-Type'] })
      const long = JSON.stringify({ ...good, data: { type: 'log', message: 'x'.repeat(80_000) } })
      expect(await send(long, STRUCTURED)).toEqual({ status: 413, fields: ['body'] })
      expect(await send(`[${Array(257).fill(1)}]`, BATCH)).toEqual({ status: 413, fields: ['body'] })
      expect((await ada.read(id)).version).toBe(1)
    })

    test('POST /api/cloudevents names what is wrong with an event for its job as it was sent', async () => {
      const ada = await subject.client(unique('ada'))
      const { id } = await ada.create()
      const running = (attempt: number, key: string) => event(id, 'status', { status: 'running', attempt }, { id: key })
      expect((await send(ada, HTTP.structured(running(3, 'first')))).status).toBe(200)
      const events = [
        ['id', running(4, 'first')],
        ['data.attempt', running(2, 'second')],
      ] as const
      for (const [field, wrong] of events) {
        expect(await refused(ada, wrong, { 'content-type': STRUCTURED })).toEqual({ status: 422, fields: [field] })
        const [answer] = (await (await sendAs(ada, [wrong], { 'content-type': BATCH })).json()) as Problem[]
        expect(answer?.errors?.map((error) => error.field)).toEqual([field])
        expect(answer?.detail).toStartWith(`${field}: `)
        const { headers } = HTTP.binary(wrong)
        const named = await refused(ada, wrong.data, headers as Record<string, string>)
        expect(named).toEqual({ status: 422, fields: [field === 'id' ? 'ce-id' : field] })
      }
    })

    test('POST /api/cloudevents applies the largest batch once when it is sent again', async () => {
      const ada = await subject.client(unique('ada'))
      const { id } = await ada.create()
      const events = Array.from({ length: 256 }, (_, n) => event(id, 'log', { message: `${n}` }))
      for (let sent = 0; sent < 2; sent++) {
        expect((await sendAs(ada, events, { 'content-type': BATCH })).status).toBe(200)
        expect((await ada.read(id)).version).toBe(257)
      }
    })

    test("POST /api/cloudevents is for who may publish: another's job is a missing one, and a publish token is for its job", async () => {
      const [ada, eve] = await Promise.all([subject.client(unique('ada')), subject.client(unique('eve'))])
      const { id } = await ada.create()
      const textOf = async (response: Response) => [response.status, await response.text()]
      const progress = (job: string) => HTTP.structured(event(job, 'progress', { done: 1 }))
      const missing = await textOf(await send(eve, progress('nowhere')))
      expect(await textOf(await send(eve, progress(id)))).toEqual(missing)
      expect(missing[0]).toBe(404)
      expect((await send(subject.anyone, progress(id))).status).toBe(401)
      const { token } = await ada.share(id, { can: 'publish' })
      const guest = { authorization: `Bearer ${token}` }
      const { headers, body } = progress(id)
      const sent = { ...(headers as Record<string, string>), ...guest }
      expect((await subject.anyone.request('POST', 'api/cloudevents', String(body), sent)).status).toBe(200)
    })
  })
}
