import { describe, expect, test } from 'bun:test'
import type { Receipt } from '../../../shared/wire/api.ts'
import { ApiClient } from '../../support/api-client.ts'
import type { RuntimeSubject } from './runtime.ts'

const KIB = 1_024

/** JSON of exactly so many bytes: `head`, filler, `tail`. */
function padded(head: string, filler: string, tail: string, bytes: number): string {
  return head + filler.repeat(bytes - Buffer.byteLength(head + tail)) + tail
}

/** Every limit, at it and over it. */
export function describeLimits(subject: RuntimeSubject): void {
  describe('limits', () => {
    test('limits of an event: 64 KiB pass, a byte more is 413', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      // Of what may be in an event only a result is as large.
      const event = (bytes: number) => padded('{"type":"status","status":"running","result":"', 'x', '"}', bytes)
      const path = `api/jobs/${id}/events`
      expect((await ada.json<Receipt>(200, 'POST', path, event(64 * KIB))).version).toBe(2)
      expect(await ada.refusal('POST', path, event(64 * KIB + 1))).toEqual({ status: 413, fields: ['event'] })
      const invalid = { type: 'log', message: 'm'.repeat(64 * KIB) }
      expect(await ada.refusal('POST', path, invalid)).toEqual({ status: 413, fields: ['event'] })
      const batch = `[{"type":"log","message":"m"},${event(64 * KIB + 1)}]`
      expect(await ada.refusal('POST', path, batch)).toEqual({ status: 413, fields: ['1'] })
      const lines = { 'content-type': 'application/x-ndjson' }
      expect(await ada.refusal('POST', path, event(64 * KIB + 1), lines)).toEqual({ status: 413, fields: ['0'] })
      expect((await ada.read(id)).version).toBe(2)
    })

    test('limits of a publish body: 1 MiB passes, a byte more is 413, whether or not it says how long it is', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const body = (bytes: number) => padded('[{"type":"progress","done":1}', ' ', ']', bytes)
      const inChunks = (text: string) =>
        new ReadableStream<Uint8Array>({
          start(controller) {
            const bytes = new TextEncoder().encode(text)
            for (let at = 0; at < bytes.length; at += 64 * KIB) controller.enqueue(bytes.subarray(at, at + 64 * KIB))
            controller.close()
          },
        })
      expect((await ada.json<Receipt>(200, 'POST', path, body(KIB * KIB))).version).toBe(2)
      expect((await ada.json<Receipt>(200, 'POST', path, inChunks(body(KIB * KIB)))).version).toBe(3)
      expect(await ada.refusal('POST', path, body(KIB * KIB + 1))).toEqual({ status: 413, fields: ['body'] })
      expect(await ada.refusal('POST', path, inChunks(body(KIB * KIB + 1)))).toEqual({ status: 413, fields: ['body'] })
      expect((await ada.read(id)).version).toBe(3)
    })

    test('limits of a batch: as many events as the engine takes pass, one more is 413', async () => {
      const { batchEvents = 1_000 } = subject.traits
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const events = (count: number) => Array.from({ length: count }, (_, n) => ({ type: 'progress', done: n }))
      const lines = events(batchEvents + 1)
        .map((event) => JSON.stringify(event))
        .join('\n')
      expect((await ada.json<Receipt>(200, 'POST', path, events(batchEvents))).version).toBe(batchEvents + 1)
      expect(await ada.refusal('POST', path, events(batchEvents + 1))).toEqual({ status: 413, fields: ['events'] })
      const ndjson = { 'content-type': 'application/x-ndjson' }
      expect(await ada.refusal('POST', path, lines, ndjson)).toEqual({ status: 413, fields: ['events'] })
      expect((await ada.read(id)).version).toBe(batchEvents + 1)
    })

    test('limits of fields count bytes of UTF-8, not characters', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const euro = (bytes: number) => '€'.repeat(Math.floor(bytes / 3)) + 'x'.repeat(bytes % 3)
      const json = (bytes: number) => JSON.parse(padded('{"k":"', 'x', '"}', bytes))
      const cases: [of: (bytes: number) => object, bytes: number, field: string][] = [
        [(bytes) => ({ type: 'log', message: euro(bytes) }), 8 * KIB, 'message'],
        [(bytes) => ({ type: 'error', message: 'm', code: euro(bytes) }), 512, 'code'],
        [(bytes) => ({ type: 'item', id: euro(bytes), status: 'running' }), 512, 'id'],
        [(bytes) => ({ type: 'step', id: 's', label: euro(bytes) }), 512, 'label'],
        [(bytes) => ({ type: 'status', status: 'running', title: euro(bytes) }), 512, 'title'],
        [(bytes) => ({ type: 'status', status: 'running', metadata: json(bytes) }), 16 * KIB, 'metadata'],
      ]
      for (const [of, bytes, field] of cases) {
        await ada.json<Receipt>(200, 'POST', path, of(bytes))
        expect(await ada.refusal('POST', path, of(bytes + 1))).toEqual({ status: 422, fields: [field] })
      }
      const job = (bytes: number) => ({ kind: 'k', title: 't', metadata: json(bytes) })
      expect((await ada.request('POST', 'api/jobs', job(16 * KIB))).status).toBe(201)
      expect(await ada.refusal('POST', 'api/jobs', job(16 * KIB + 1))).toEqual({ status: 422, fields: ['metadata'] })
    })

    test('limits of a job: items, steps and the document, each 413 with the field', async () => {
      const ada = await subject.strictClient('limited')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const item = (n: number, label = 'L') => ({ type: 'item', id: `${n}`, label })
      const step = (n: number) => ({ type: 'step', id: `${n}`, status: 'running' })
      await ada.json<Receipt>(200, 'POST', path, [item(0), item(1), item(2), step(0), step(1)])
      expect(await ada.refusal('POST', path, item(3))).toEqual({ status: 413, fields: ['id'] })
      expect(await ada.refusal('POST', path, [item(0), item(3)])).toEqual({ status: 413, fields: ['1.id'] })
      expect(await ada.refusal('POST', path, step(2))).toEqual({ status: 413, fields: ['id'] })
      await ada.json<Receipt>(200, 'POST', path, { type: 'status', status: 'running', result: 'x'.repeat(60_000) })
      const large = { type: 'item', id: '0', message: 'x'.repeat(8_000), error: 'x'.repeat(8_000) }
      expect(await ada.refusal('POST', path, large)).toEqual({ status: 413, fields: ['id'] })
      expect((await ada.read(id)).version).toBe(7)
      await ada.publish(id, { type: 'status', status: 'completed' })
    })

    test('limits of a principal: live jobs, not those that ended, and not for administrators', async () => {
      const ada = await subject.strictClient('busy')
      const [first] = [await ada.create(), await ada.create()]
      const body = { kind: 'k', title: 't' }
      const refused = await ada.request('POST', 'api/jobs', body)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10'])
      await refused.body?.cancel()
      expect(await ada.refusal('POST', 'api/jobs', body)).toEqual({ status: 429, fields: [] })
      await ada.publish(first.id, { type: 'status', status: 'completed' })
      await ada.create()
      const admin = await subject.strictClient('busy', 'jobs:admin')
      await admin.create()
    })

    test('limits of a principal: open streams, and what is closed counts no more', async () => {
      const ada = await subject.strictClient('watcher')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/progress`
      const streams = [
        await ada.stream(path),
        await ada.stream('api/progress'),
        await ada.stream(`api/progress?job=${id}`),
      ]
      for (const stream of streams) await stream.next()
      for (const another of [path, 'api/progress', `api/progress?job=${id}`])
        expect(await ada.refusal('GET', another)).toEqual({ status: 429, fields: [] })
      expect((await ada.request('HEAD', path)).status).toBe(200)
      for (const stream of streams) await stream.close()
      // Where the runtime says late that a reader has left, the place is free late.
      for (let isFree = false; !isFree; ) {
        await ada.publish(id, { type: 'progress', done: 1 })
        const response = await ada.request('GET', path)
        isFree = response.status === 200
        await response.body?.cancel()
      }
    }, 180_000)

    test('limits of a job: streams of its watch tokens, which leave its owner theirs', async () => {
      const ada = await subject.strictClient('generous')
      const { id } = await ada.create()
      const { token } = await ada.share(id)
      const guest = new ApiClient(subject.strict.url, token)
      const path = `api/jobs/${id}/progress`
      const guests = await Promise.all(
        [path, path, 'api/progress', `api/progress?job=${id}`].map((at) => guest.stream(at)),
      )
      const response = await guest.request('GET', path)
      expect([response.status, response.headers.get('retry-after')]).toEqual([429, '10'])
      await response.body?.cancel()
      const own = await Promise.all([path, path, path].map((at) => ada.stream(at)))
      for (const stream of [...guests, ...own]) {
        expect((await stream.next())?.event).toBe('snapshot')
        await stream.close()
      }
    })

    test('limits of an upload: what is longer is 413', async () => {
      const ada = await subject.strictClient('uploader')
      const form = new FormData()
      form.set('file', 'x'.repeat(2_000))
      const tooLong = { status: 413, fields: ['body'] }
      expect(await ada.refusal('POST', 'api/services/analysis', form)).toEqual(tooLong)
      // What is in chunks is counted by whoever reads it.
      if (subject.traits.hasServices === false) return
      const inChunks = new Response(form)
      const type = { 'content-type': inChunks.headers.get('content-type') ?? '' }
      expect(await ada.refusal('POST', 'api/services/analysis', inChunks.body, type)).toEqual(tooLong)
    })

    test('limits of time: what has ended is removed once it was kept long enough, and those who follow are told', async () => {
      const ada = await subject.strictClient('forgetful')
      await using stream = await ada.stream('api/progress')
      const { id } = await ada.create()
      await ada.publish(id, { type: 'status', status: 'completed' })
      const messages = await stream.until(({ data }) => data.reason === 'expired')
      expect(messages.at(-1)).toEqual({ event: 'end', lastEventId: '', data: { jobId: id, reason: 'expired' } })
      expect((await ada.refusal('GET', `api/jobs/${id}`)).status).toBe(404)
    }, 180_000)
  })
}
