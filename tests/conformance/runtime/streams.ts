import { describe, expect, test } from 'bun:test'
import { FoldedJob } from '../../support/folded-job.ts'
import type { Received } from '../../support/stream-reader.ts'
import type { RuntimeSubject } from './runtime.ts'

const PINGS = /event: ping\n.*\n\n/g

const names = (messages: Received[]) => messages.map(({ event }) => event)

/** One job, followed live. */
export function describeStreams(subject: RuntimeSubject): void {
  describe('GET /api/jobs/:id/progress', () => {
    test('GET …/progress sends the retry, the document and each event, in exactly these bytes', async () => {
      const ada = await subject.client('ada')
      const { id, epoch, steps, items, errors, logs, ...header } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
      expect(stream.response.headers.get('cache-control')).toBe('no-cache, no-transform')
      expect(stream.response.headers.get('x-accel-buffering')).toBe('no')
      expect(stream.response.headers.get('content-encoding')).toBeNull()
      await stream.next()
      const { at } = (await stream.ping()).data
      const document = JSON.stringify({ id, epoch, ...header, steps, items, errors, logs })
      const [retry] = /^retry: [1-5]\d{3}\n/.exec(stream.text) ?? []
      const ping = `event: ping\ndata: {"at":"${at}","version":1}\n\n`
      expect(stream.text).toBe(`${retry}event: snapshot\nid: ${epoch}-1\ndata: ${document}\n\n${ping}`)
      expect(at).toMatch(/^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      await ada.publish(id, { type: 'progress', done: 13, total: 100 })
      await stream.next()
      await ada.publish(id, { type: 'error', message: 'a\r\n\ndata: b\u2028\u2029\0' })
      await stream.next()
      const { updatedAt, errors: rows } = await ada.read(id)
      const sent = stream.text.slice(stream.text.indexOf('event: progress')).replace(PINGS, '')
      expect(sent).toMatch(
        new RegExp(
          `^event: progress\\nid: ${epoch}-2\\ndata: \\{"type":"progress","version":2,"at":"[^"]+","done":13,"total":100\\}\\n\\n` +
            `event: job-error\\nid: ${epoch}-3\\ndata: (.*)\\n\\n$`,
        ),
      )
      expect(sent).toEndWith(
        `data: {"type":"error","version":3,"at":"${updatedAt}","message":"a\\r\\n\\ndata: b\\u2028\\u2029\\u0000"}\n\n`,
      )
      expect(rows[0]?.message).toBe('a\r\n\ndata: b\u2028\u2029\0')
    })

    test('GET …/progress answers at once, before anything has happened', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      expect((await stream.next())?.event).toBe('snapshot')
    })

    test('GET …/progress sends up to 8 events one by one, and more as one patch', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.next()
      const events = (count: number) =>
        Array.from({ length: count }, (_, n) => ({ type: 'item', id: `${n}`, status: 'running' }) as const)
      await ada.publish(id, ...events(8))
      const single = await stream.take(8)
      expect(single.map(({ event, lastEventId }) => `${event} ${lastEventId}`)).toEqual(
        Array.from({ length: 8 }, (_, n) => `item ${epoch}-${n + 2}`),
      )
      await ada.publish(id, ...events(9))
      const patch = await stream.next()
      expect(patch).toMatchObject({ event: 'patch', lastEventId: `${epoch}-18`, data: { from: 9, to: 18 } })
      expect(patch?.data.items).toHaveLength(9)
      expect(patch?.data.job).not.toHaveProperty('result')
    })

    test('GET …/progress brings its reader to the very document, however events come', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create({ metadata: { a: 1 } })
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      const publishes = (async () => {
        for (let n = 0; n < 60; n++) {
          await ada.publish(
            id,
            { type: 'progress', done: n },
            ...Array.from({ length: n % 12 }, (_, m) => ({ type: 'item', id: `${n * m}`, label: `${n}` }) as const),
            { type: 'step', id: `${n % 5}`, status: n % 2 ? 'running' : 'succeeded' },
            { type: 'log', message: `${n}` },
            { type: 'error', message: `${n}` },
            ...(n % 7 ? [] : ([{ type: 'status', status: 'running', result: n, metadata: null }] as const)),
          )
        }
        await ada.publish(id, { type: 'status', status: 'completed', result: { ok: true } })
      })()
      const folded = new FoldedJob()
      for (const message of await stream.rest()) folded.take(message)
      await publishes
      expect(folded.job).toEqual(await ada.read(id))
    })

    test('GET …/progress ends with what the job came to, and the server closes', async () => {
      const ada = await subject.client('ada')
      for (const status of ['completed', 'failed', 'cancelled'] as const) {
        const { id } = await ada.create()
        await using stream = await ada.stream(`api/jobs/${id}/progress`)
        await stream.next()
        await ada.publish(id, { type: 'status', status })
        const rest = await stream.rest()
        expect(names(rest)).toEqual(['status', 'end'])
        expect(stream.text).toEndWith(`event: end\ndata: {"reason":"${status}"}\n\n`)
        await using late = await ada.stream(`api/jobs/${id}/progress`)
        expect(names(await late.rest())).toEqual(['snapshot', 'end'])
      }
    })

    test('GET …/progress says that the job was deleted, and the server closes', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using all = await ada.stream(`api/jobs/${id}/progress`)
      await using header = await ada.stream(`api/jobs/${id}/progress?parts=header`)
      await all.next()
      await header.next()
      await ada.request('DELETE', `api/jobs/${id}`)
      for (const stream of [all, header]) {
        expect(names(await stream.rest())).toEqual(['end'])
        expect(stream.text).toEndWith('event: end\ndata: {"reason":"deleted"}\n\n')
      }
    })

    test('GET …/progress?parts=header sends headers alone, as snapshot and patches', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress?parts=header`)
      const snapshot = await stream.next()
      expect([snapshot?.event, snapshot?.lastEventId]).toEqual(['snapshot', `${epoch}-1`])
      expect(snapshot?.data).not.toHaveProperty('items')
      await ada.publish(id, { type: 'item', id: 'a', status: 'running' })
      const patch = await stream.next()
      expect(patch).toMatchObject({ event: 'patch', lastEventId: `${epoch}-2`, data: { from: 1, to: 2 } })
      expect(Object.keys(patch?.data ?? {})).toEqual(['from', 'to', 'job'])
      await ada.publish(id, { type: 'status', status: 'completed' })
      expect(names(await stream.rest())).toEqual(['patch', 'end'])
      expect(await ada.refusal('GET', `api/jobs/${id}/progress?parts=x`)).toEqual({ status: 422, fields: ['parts'] })
    })

    test('HEAD …/progress has the headers and no stream', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      for (const path of [`api/jobs/${id}/progress`, `api/progress?job=${id}`, 'api/progress']) {
        const response = await ada.request('HEAD', path)
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
        expect(await response.text()).toBe('')
      }
      expect((await ada.publish(id, { type: 'progress', done: 1 })).watched).toBe(false)
    })

    test('GET …/progress makes its job a watched one', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.next()
      expect(await ada.publish(id, { type: 'progress', done: 1 })).toMatchObject({ watched: true, flushMs: 250 })
    })
  })
}
