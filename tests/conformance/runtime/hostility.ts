import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import type { Receipt } from '../../../shared/wire/api.ts'
import { RawConnection } from '../../support/raw-connection.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

/** What nobody sends who means well. The server answers it, and goes on. */
export function describeHostility(subject: RuntimeSubject): void {
  describe('hostile input', () => {
    test('hostile nesting is refused for its depth, however deep', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
      const result = (depth: number) => `{"type":"status","status":"running","result":${nested(depth)}}`
      expect((await ada.json<Receipt>(200, 'POST', path, result(32))).version).toBe(2)
      for (const depth of [33, 10_000, 400_000])
        expect(await ada.refusal('POST', path, result(depth))).toEqual({ status: 422, fields: ['result'] })
      const objects = `{"type":"log","message":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`
      expect(await ada.refusal('POST', path, objects)).toEqual({ status: 422, fields: ['message'] })
      expect(await ada.refusal('POST', path, nested(400_000))).toEqual({ status: 422, fields: ['0'] })
      const job = `{"kind":"k","title":"t","metadata":{"a":${nested(10_000)}}}`
      expect(await ada.refusal('POST', 'api/jobs', job)).toEqual({ status: 422, fields: ['metadata'] })
      expect((await ada.read(id)).version).toBe(2)
    })

    test('hostile keys are fields that there are not, or data like any other', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      for (const key of ['__proto__', 'constructor', 'toString', 'prototype']) {
        const event = `{"type":"progress","done":1,"${key}":{"polluted":true}}`
        expect(await ada.refusal('POST', path, event)).toEqual({ status: 422, fields: [key] })
      }
      // A field without a name is named all the same.
      expect(await ada.refusal('POST', path, '{"type":"progress","done":1,"":1}')).toEqual({
        status: 422,
        fields: ['""'],
      })
      // An event has 32 fields at most. Of more than 20 that there are not, 20 are named.
      const keys = (length: number) => Array.from({ length }, (_, n) => `k${n}`)
      const many = (length: number) => Object.fromEntries(keys(length).map((key) => [key, 1]))
      const refusal = (length: number) => ada.refusal('POST', path, { type: 'progress', done: 1, ...many(length) })
      expect(await refusal(5_000)).toEqual({ status: 422, fields: ['body'] })
      expect(await refusal(30)).toEqual({ status: 422, fields: keys(20) })
      expect((await ada.refusal('POST', 'api/jobs', { kind: 'k', title: 't', ...many(5_000) })).fields).toEqual(
        keys(20),
      )
      for (const type of ['__proto__', 'constructor', 'hasOwnProperty'])
        expect(await ada.refusal('POST', path, { type, done: 1 })).toEqual({ status: 422, fields: ['type'] })
      const rows = ['__proto__', 'constructor', 'toString'].map(
        (row) => ({ type: 'item', id: row, status: 'running' }) as const,
      )
      await ada.publish(id, ...rows)
      expect((await ada.read(id)).items.map((item) => item.id)).toEqual(['__proto__', 'constructor', 'toString'])
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    })

    test('hostile repetition of a key is the last of it, as JSON has it', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await ada.json<Receipt>(
        200,
        'POST',
        `api/jobs/${id}/events`,
        '{"type":"log","type":"progress","done":1,"done":2}',
      )
      expect((await ada.read(id)).progress).toEqual({ done: 2 })
    })

    test('hostile encodings: what is not UTF-8 is malformed, a BOM is none of the text, half a pair is U+FFFD', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const bytes = (...parts: (string | number[])[]) =>
        Uint8Array.from(
          parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : part)),
        )
      for (const wrong of [[0xff, 0xfe], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5], [0xe2, 0x82]]) {
        const event = bytes('{"type":"log","message":"', wrong, '"}')
        expect(await ada.refusal('POST', path, event)).toEqual({ status: 400, fields: ['body'] })
        const job = bytes('{"kind":"k","title":"', wrong, '"}')
        expect(await ada.refusal('POST', 'api/jobs', job)).toEqual({ status: 400, fields: ['body'] })
      }
      const utf16 = Uint8Array.from(Buffer.from('\ufeff{"type":"progress","done":1}', 'utf16le'))
      expect(await ada.refusal('POST', path, utf16)).toEqual({ status: 400, fields: ['body'] })
      await ada.json<Receipt>(200, 'POST', path, bytes([0xef, 0xbb, 0xbf], '{"type":"log","message":"bom"}'))
      await ada.json<Receipt>(200, 'POST', path, '{"type":"log","message":"half \\ud800 pair"}')
      await ada.json<Receipt>(200, 'POST', path, '{"type":"item","id":"\\udfff","label":"L"}')
      const { logs, items } = await ada.read(id)
      expect(logs.map(({ message }) => message)).toEqual(['bom', 'half \ufffd pair'])
      expect(items.map((item) => item.id)).toEqual(['\ufffd'])
    })

    test('hostile compression is refused, unpacked or not', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const event = '{"type":"progress","done":1}'
      const refusal = { status: 415, fields: ['Content-Encoding'] }
      for (const [body, coding] of [
        [Uint8Array.from(gzipSync(event)), 'gzip'],
        [event, 'gzip'],
        [event, 'br'],
        [event, 'deflate, gzip'],
      ] as const)
        expect(await ada.refusal('POST', `api/jobs/${id}/events`, body, { 'content-encoding': coding })).toEqual(
          refusal,
        )
      expect((await ada.read(id)).version).toBe(1)
    })

    test('hostile pauses within a body are waited for ten seconds, then the request is refused', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const form = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nx'
      const halves = [
        { path: `api/jobs/${id}/events`, type: 'application/json', half: '{"type":"log","message":"' },
        { path: 'api/jobs', type: 'application/json', half: '{"kind":"k","title":"' },
        { path: 'api/services/analysis', type: 'multipart/form-data; boundary=b', half: form },
      ].slice(0, subject.traits.hasServices === false ? 2 : 3)
      const answers = halves.map(async ({ path, type, half }) => {
        const connection = await RawConnection.open(subject.server.url)
        const head = [
          `POST /${path} HTTP/1.1`,
          'host: localhost',
          `authorization: Bearer ${await accessToken('ada')}`,
          `content-type: ${type}`,
          'content-length: 50000',
        ]
        connection.write(`${head.join('\r\n')}\r\n\r\n${half}`)
        await connection.receive(/too-slow/)
        // Deno 2 leaves the connection open, whatever the answer says.
        connection.destroy()
        return connection.text.split(' ')[1]
      })
      expect(await Promise.all(answers)).toEqual(halves.map(() => '408'))
      expect((await ada.read(id)).version).toBe(1)
    }, 60_000)

    test('hostile ids are jobs that are not there, in every part of an address', async () => {
      const ada = await subject.client('stranger')
      const ids = [
        '%00',
        '%0d%0aX-Evil:%201',
        'a%2Fprogress',
        '..%2f..%2fhealthz',
        '%ff',
        'j%20',
        "'%20OR%201=1--",
        '%e2%82%ac',
      ]
      for (const id of [...ids, '__proto__', 'constructor', 'x'.repeat(129), '*', 'a%3Fb', 'a%23b', '%25', '%']) {
        for (const path of ['', '/progress', '?since=x-1']) {
          const response = await ada.request('GET', `api/jobs/${id}${path}`)
          expect([id, response.status, response.headers.get('x-evil')]).toEqual([id, 404, null])
          await response.body?.cancel()
        }
        expect([id, await ada.refusal('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 })]).toMatchObject([
          id,
          { status: 404 },
        ])
        expect([id, await ada.refusal('DELETE', `api/jobs/${id}`)]).toMatchObject([id, { status: 404 }])
      }
    })

    test('hostile queries: too many tokens are refused before any is looked at, long ones are just long', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const tokens = (count: number) => Array.from({ length: count }, () => 'token=x').join('&')
      expect(await subject.anyone.refusal('GET', `api/progress?${tokens(100)}`)).toEqual({ status: 401, fields: [] })
      expect(await subject.anyone.refusal('GET', `api/progress?${tokens(101)}`)).toEqual({
        status: 422,
        fields: ['token'],
      })
      expect((await ada.request('GET', `api/jobs/${id}?since=${'x'.repeat(8_000)}`)).status).toBe(200)
      expect((await subject.anyone.refusal('GET', `api/jobs/${id}?token=${'x'.repeat(8_000)}`)).status).toBe(401)
    })

    test('hostile connections: uploads that break off and requests that are none apply nothing', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const head = (...lines: string[]) =>
        [`POST /api/jobs/${id}/events HTTP/1.1`, 'host: x', 'content-type: application/json', ...lines, '', ''].join(
          '\r\n',
        )
      const authorization = `authorization: Bearer ${await accessToken('ada')}`
      for (const start of [
        `${head(authorization, 'content-length: 1000')}{"type":"progress",`,
        `${head(authorization, 'transfer-encoding: chunked')}13\r\n{"type":"progress",\r\n`,
        head(authorization, 'content-length: 28', 'expect: 100-continue'),
        `GET /api/jobs/${id}/progress HTTP/1.1\r\nhost: x\r\n`,
        '\0\0\0\0',
        'GET / HTTP/9.9\r\n\r\n',
      ]) {
        const connection = await RawConnection.open(subject.server.url)
        connection.write(start)
        // Somewhere in the middle of it.
        await ada.read(id)
        connection.destroy()
      }
      const event = '{"type":"progress","done":1}'
      const smuggled = await RawConnection.open(subject.server.url)
      smuggled.write(
        `${head(authorization, `content-length: ${event.length}`, 'transfer-encoding: chunked')}0\r\n\r\n${event}`,
      )
      await smuggled.receive(/^HTTP\/1\.1 \d\d\d/)
      smuggled.destroy()
      expect((await ada.read(id)).version).toBe(1)
    })

    test('hostile floods without a token are refused one by one, and others are served meanwhile', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.next()
      const flood = Array.from({ length: subject.traits.connectionsAtOnce ?? 300 }, (_, n) =>
        n % 3 === 0
          ? subject.anyone.request('POST', `api/jobs/${id}/events`, 'x'.repeat(100_000))
          : subject.anyone.request('GET', n % 3 === 1 ? 'api/progress' : `api/jobs/${id}/progress?token=${n}`),
      )
      await ada.publish(id, { type: 'progress', done: 1 })
      expect((await stream.next())?.event).toBe('progress')
      for (const response of await Promise.all(flood)) {
        // Beyond so many they are told to wait.
        expect([401, 429]).toContain(response.status)
        await response.body?.cancel()
      }
      expect((await ada.read(id)).version).toBe(2)
    })

    test('hostile timing: a job that is deleted while everyone publishes to it is gone for all of them', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.next()
      const statuses = new Set<number>()
      const publishes = Array.from({ length: 30 }, async (_, n) => {
        const response = await ada.request('POST', `api/jobs/${id}/events`, { type: 'log', message: `${n}` })
        statuses.add(response.status)
        await response.body?.cancel()
      })
      const removed = ada.request('DELETE', `api/jobs/${id}`)
      await Promise.all(publishes)
      expect((await removed).status).toBe(204)
      expect([...statuses].every((status) => status === 200 || status === 404)).toBe(true)
      expect((await stream.rest()).at(-1)?.data).toEqual({ reason: 'deleted' })
      expect((await ada.refusal('GET', `api/jobs/${id}`)).status).toBe(404)
    })

    test('hostile timing: a cancellation gets through while the job is reported on without a pause', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await ada.publish(id, { type: 'status', status: 'running' })
      let isDone = false
      const producers = Array.from({ length: 8 }, async (_, n) => {
        while (!isDone) await ada.publish(id, { type: 'progress', done: n })
      })
      expect((await ada.operate(id, 'cancel')).cancelRequested).toBe(true)
      isDone = true
      await Promise.all(producers)
    }, 180_000)
  })
}
