import { describe, expect, test } from 'bun:test'
import type { ProducerEvent } from '../../../shared/document/events.ts'
import type { ProblemDocument, Receipt } from '../../../shared/wire/api.ts'
import { unique } from '../../support/api-client.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Events, from those who do the work. */
export function describeEvents(subject: RuntimeSubject): void {
  describe('POST /api/jobs/:id/events', () => {
    test('POST …/events takes one event, an array, or lines of JSON, and answers a receipt', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const send = (body: unknown, type = 'application/json') =>
        ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, body, { 'content-type': type })
      const receipt = { cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
      expect(await send({ type: 'progress', done: 1 })).toEqual({ version: 2, ...receipt })
      expect(
        await send([
          { type: 'log', message: 'a' },
          { type: 'log', message: 'b' },
        ]),
      ).toEqual({ version: 4, ...receipt })
      const lines = '{"type":"log","message":"c"}\r\n\n {"type":"log","message":"d"} \n'
      expect(await send(lines, 'application/x-ndjson')).toEqual({ version: 6, ...receipt })
      expect(await send('{"type":"log","message":"e"}', 'Application/JSON; charset=utf-8')).toMatchObject({
        version: 7,
      })
      expect((await ada.read(id)).logs.map(({ message }) => message)).toEqual(['a', 'b', 'c', 'd', 'e'])
    })

    test('POST …/events?epoch= publishes to that life of the job alone', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create({ id: unique('lives') })
      const event: ProducerEvent = { type: 'progress', done: 1 }
      const path = `api/jobs/${id}/events`
      expect(await ada.json<Receipt>(200, 'POST', `${path}?epoch=${epoch}`, event)).toMatchObject({ version: 2 })
      await ada.request('DELETE', `api/jobs/${id}`)
      const { epoch: next } = await ada.create({ id, title: 'Another life' })
      const late = await (await ada.request('POST', `${path}?epoch=${epoch}`, event)).text()
      expect(late).toBe(await (await ada.request('POST', 'api/jobs/no-such-job/events', event)).text())
      expect(await ada.refusal('POST', `${path}?epoch=${epoch}`, event)).toEqual({ status: 404, fields: [] })
      expect(await ada.refusal('POST', `${path}?epoch=No!`, event)).toEqual({ status: 422, fields: ['epoch'] })
      expect((await ada.read(id)).version).toBe(1)
      expect(await ada.json<Receipt>(200, 'POST', `${path}?epoch=${next}`, event)).toMatchObject({ version: 2 })
    })

    test('POST …/events applies every type of event, and null clears a field', async () => {
      const ada = await subject.client('ada')
      const { id, createdAt } = await ada.create({ metadata: { a: 1 } })
      await ada.publish(
        id,
        { type: 'progress', done: 3, total: 7, succeeded: 2, failed: 1, unit: 'files', message: 'M' },
        { type: 'step', id: 's', status: 'running', label: 'S', done: 1, total: 2, weight: 3, message: 'M' },
        { type: 'item', id: 'i', status: 'running', label: 'I', progress: 50, message: 'M', error: 'E' },
        { type: 'error', message: 'went wrong', code: 'E42', itemId: 'i' },
        { type: 'log', message: 'said', level: 'debug' },
        { type: 'status', status: 'running', message: 'M', title: 'New', result: [1], metadata: { b: 2 } },
      )
      const job = await ada.read(id)
      expect(job).toMatchObject({
        version: 7,
        status: 'running',
        message: 'M',
        title: 'New',
        result: [1],
        metadata: { b: 2 },
        progress: { done: 3, total: 7, succeeded: 2, failed: 1, unit: 'files', message: 'M' },
        itemCounts: { pending: 0, running: 1, succeeded: 0, failed: 0, skipped: 0 },
        errorCount: 1,
        logCount: 1,
        items: [
          { id: 'i', index: 0, version: 4, status: 'running', label: 'I', progress: 50, message: 'M', error: 'E' },
        ],
        errors: [{ version: 5, message: 'went wrong', code: 'E42', itemId: 'i' }],
        logs: [{ version: 6, level: 'debug', message: 'said' }],
      })
      expect(job.steps).toEqual([
        {
          id: 's',
          index: 0,
          version: 3,
          status: 'running',
          label: 'S',
          done: 1,
          total: 2,
          weight: 3,
          message: 'M',
          startedAt: job.startedAt ?? '',
        },
      ])
      expect(Date.parse(job.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(createdAt))
      await ada.publish(
        id,
        { type: 'progress', done: 4, total: null, unit: null },
        { type: 'item', id: 'i', label: null, error: null },
        { type: 'status', status: 'paused', message: null, metadata: null },
      )
      const cleared = await ada.read(id)
      expect(cleared.progress).toEqual({ done: 4, succeeded: 2, failed: 1, message: 'M' })
      expect(cleared.items).toEqual([{ id: 'i', index: 0, version: 9, status: 'running', progress: 50, message: 'M' }])
      expect([cleared.status, cleared.result, 'metadata' in cleared, 'message' in cleared]).toEqual([
        'paused',
        [1],
        false,
        false,
      ])
    })

    test('POST …/events applies all of a batch or none, and names the event that is wrong', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const good = { type: 'progress', done: 1 }
      const cases: [body: unknown, fields: string[]][] = [
        [{ type: 'progress' }, ['done']],
        [{ type: 'progress', done: -1 }, ['done']],
        [{ type: 'progress', done: '1' }, ['done']],
        [{ type: 'progress', done: null }, ['done']],
        [{ type: 'progress', done: 1, percent: 3 }, ['percent']],
        [{ type: 'status', status: 'done' }, ['status']],
        [{ type: 'item', id: 'i' }, ['body']],
        [{ type: 'item', id: 'i', status: 'done' }, ['status']],
        [{ type: 'item', status: 'running' }, ['id']],
        [{ type: 'item', id: 'i', progress: 101 }, ['progress']],
        [{ type: 'step', id: ' ', status: 'running' }, ['id']],
        [{ type: 'error' }, ['message']],
        [{ type: 'log', message: 'm', level: 'fatal' }, ['level']],
        [{ type: 'control', cancelRequested: true }, ['type']],
        [{ done: 1 }, ['type']],
        [{}, ['type']],
        [{ ...good, version: 9, at: '2020-01-01T00:00:00Z' }, ['version', 'at']],
        [[good, { type: 'log' }], ['1.message']],
        [
          [good, good, 7, { type: 'log', message: 1 }],
          ['2', '3.message'],
        ],
        [[], ['events']],
        [null, ['body']],
        [7, ['body']],
        ['"x"', ['body']],
      ]
      for (const [body, fields] of cases)
        expect([body, await ada.refusal('POST', `api/jobs/${id}/events`, body)]).toEqual([
          body,
          { status: 422, fields },
        ])
      const lines = { 'content-type': 'application/x-ndjson' }
      const wrong = '{"type":"progress","done":1}\n{"type":"nothing"}\n'
      expect(await ada.refusal('POST', `api/jobs/${id}/events`, wrong, lines)).toEqual({
        status: 422,
        fields: ['1.type'],
      })
      expect(await ada.refusal('POST', `api/jobs/${id}/events`, '\n \n', lines)).toEqual({
        status: 422,
        fields: ['events'],
      })
      expect((await ada.read(id)).version).toBe(1)
    })

    test('POST …/events refuses what is malformed or of another type, and applies nothing', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const send = (body: unknown, type: string) =>
        ada.refusal('POST', `api/jobs/${id}/events`, body, { 'content-type': type })
      for (const body of [
        '{',
        '',
        '{"type":"progress","done":1}{}',
        "{'type':'progress'}",
        '{"type":"progress","done":NaN}',
      ])
        expect([body, await send(body, 'application/json')]).toEqual([body, { status: 400, fields: ['body'] }])
      expect(await send('{"type":"progress","done":1}\n{', 'application/x-ndjson')).toEqual({
        status: 400,
        fields: ['line 2'],
      })
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json-seq',
        'multipart/form-data',
      ])
        expect([type, await send('{"type":"progress","done":1}', type)]).toEqual([
          type,
          { status: 415, fields: ['Content-Type'] },
        ])
      expect((await ada.read(id)).version).toBe(1)
    })

    test('POST …/events of a job that has ended is 409, whatever the type', async () => {
      const ada = await subject.client('ada')
      const events: ProducerEvent[] = [
        { type: 'progress', done: 1 },
        { type: 'status', status: 'running' },
        { type: 'item', id: 'i', status: 'running' },
        { type: 'step', id: 's', status: 'running' },
        { type: 'error', message: 'm' },
        { type: 'log', message: 'm' },
      ]
      for (const status of ['completed', 'failed', 'cancelled'] as const) {
        const { id } = await ada.create()
        await ada.publish(id, { type: 'status', status })
        for (const event of events)
          expect(await ada.refusal('POST', `api/jobs/${id}/events`, event)).toEqual({ status: 409, fields: ['type'] })
        expect(await ada.refusal('POST', `api/jobs/${id}/events`, { type: 'status', status })).toMatchObject({
          status: 409,
        })
      }
    })

    test('POST …/events refuses what follows an end in its batch, and counts attempts', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const batch = [
        { type: 'status', status: 'completed' },
        { type: 'log', message: 'after' },
      ]
      expect(await ada.refusal('POST', path, batch)).toEqual({ status: 409, fields: ['1.type'] })
      await ada.publish(
        id,
        { type: 'status', status: 'pending', message: 'still' },
        { type: 'status', status: 'running' },
      )
      await ada.publish(id, { type: 'status', status: 'pending' }, { type: 'status', status: 'running', attempt: 2 })
      expect(await ada.read(id)).toMatchObject({ status: 'running', version: 5, attempt: 2 })
      const lower = { type: 'status', status: 'running', attempt: 1 }
      expect(await ada.refusal('POST', path, lower)).toEqual({ status: 422, fields: ['attempt'] })
      await ada.publish(id, { type: 'status', status: 'cancelled' })
      expect(await ada.json<ProblemDocument>(409, 'POST', path, lower)).toMatchObject({ jobStatus: 'cancelled' })
    })
  })

  describe('POST /api/events', () => {
    test('POST /api/events applies or refuses the batch of each job by itself', async () => {
      const ada = await subject.client('ada')
      const bob = await subject.client('bob')
      const { id, epoch } = await ada.create()
      const ended = (await ada.create()).id
      const others = (await bob.create()).id
      const events = [{ type: 'progress', done: 1 }]
      await ada.publish(ended, { type: 'status', status: 'completed' })
      const batches = [
        { job: id, epoch, key: 'first', events },
        { job: ended, events },
        { job: others, events },
        { job: id, events: [...events, { type: 'log' }] },
        { job: id, epoch, key: 'first', events },
        { job: id, events: [{ type: 'log', message: 'm' }] },
      ]
      const answers = await ada.json<Partial<Receipt & ProblemDocument>[]>(200, 'POST', 'api/events', batches)
      const receipt = { cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
      expect(answers.map(({ status, version }) => status ?? version)).toEqual([2, 409, 404, 422, 2, 3])
      expect(answers[0]).toEqual({ version: 2, ...receipt })
      expect(answers[3]?.errors?.map(({ field }) => field)).toEqual(['1.message'])
      expect([(await ada.read(id)).version, (await bob.read(others)).version]).toEqual([3, 1])
    })

    test('POST /api/events takes the batches of a thousand jobs, with no more events each than the engine takes', async () => {
      const { batchEvents = 1_000 } = subject.traits
      const ada = await subject.client('ada')
      const ids: string[] = []
      for (let n = 0; n < 20; n++) ids.push((await ada.create()).id)
      const batches = Array.from({ length: 1_000 }, (_, n) => ({
        job: ids[n % 20],
        events: [{ type: 'progress', done: n }],
      }))
      // workerd (1.20260426) closes a connection 5 s after a request began on it, and says so to nobody.
      const close = { connection: 'close' }
      const answers = await ada.json<Receipt[]>(200, 'POST', 'api/events', batches, close)
      expect(answers.map(({ version }) => version)).toEqual(batches.map((_, n) => 2 + Math.floor(n / 20)))
      const many = { job: ids[0], events: Array(batchEvents + 1).fill({ type: 'progress', done: 1 }) }
      const [refused, taken] = await ada.json<Partial<Receipt & ProblemDocument>[]>(200, 'POST', 'api/events', [
        many,
        { ...many, events: many.events.slice(1) },
      ])
      expect([refused?.status, refused?.detail]).toEqual([413, expect.stringContaining(`at most ${batchEvents}`)])
      expect(taken?.version).toBe(51 + batchEvents)
    }, 60_000)

    test('POST /api/events refuses what is no array of batches, and applies nothing of it', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const good = JSON.stringify({ job: id, events: [{ type: 'progress', done: 1 }] })
      for (const body of [good, `[${good}`, `[${good},{]`, ''])
        expect([body, await ada.refusal('POST', 'api/events', body)]).toEqual([body, { status: 400, fields: ['body'] }])
      expect(await ada.refusal('POST', 'api/events', [])).toEqual({ status: 422, fields: ['body'] })
      const long = ' '.repeat(4 * 1_048_576)
      expect((await ada.refusal('POST', 'api/events', `[${good}${long}]`)).status).toBe(413)
      expect((await subject.anyone.refusal('POST', 'api/events', `[${good}]`)).status).toBe(401)
      expect((await ada.read(id)).version).toBe(1)
    })
  })

  describe('Idempotency-Key', () => {
    test('Idempotency-Key applies a batch once, and answers a repeat with the present version', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const key = { 'idempotency-key': unique('key') }
      const send = (body: unknown, headers: Record<string, string> = key) =>
        ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, body, headers)
      const batch = [
        { type: 'log', message: 'once' },
        { type: 'progress', done: 1 },
      ]
      expect((await send(batch)).version).toBe(3)
      await ada.publish(id, { type: 'log', message: 'between' })
      expect((await send(batch)).version).toBe(4)
      expect((await send('[{"message":"once","type":"log"} , {"done":1.0,"type":"progress"}]')).version).toBe(4)
      const lines = '{"type":"log","message":"once"}\n{"type":"progress","done":1}'
      expect((await send(lines, { ...key, 'content-type': 'application/x-ndjson' })).version).toBe(4)
      expect((await send(batch, { 'idempotency-key': unique('key') })).version).toBe(6)
    })

    test('Idempotency-Key with another body is 422, and with one that is no key too', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/events`
      const key = { 'idempotency-key': 'k' }
      await ada.json<Receipt>(200, 'POST', path, { type: 'progress', done: 1 }, key)
      for (const [body, headers] of [
        [{ type: 'progress', done: 2 }, key],
        [
          [
            { type: 'progress', done: 1 },
            { type: 'progress', done: 1 },
          ],
          key,
        ],
        [{ type: 'progress', done: 1 }, { 'idempotency-key': '' }],
        [{ type: 'progress', done: 1 }, { 'idempotency-key': 'a b' }],
        [{ type: 'progress', done: 1 }, { 'idempotency-key': 'x'.repeat(256) }],
      ] as const)
        expect(await ada.refusal('POST', path, body, headers)).toEqual({ status: 422, fields: ['Idempotency-Key'] })
      await ada.json<Receipt>(200, 'POST', path, { type: 'progress', done: 3 }, { 'idempotency-key': 'x'.repeat(255) })
      expect((await ada.read(id)).version).toBe(3)
    })

    test('Idempotency-Key is looked up before all else: a repeat is answered when the job has ended', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const key = { 'idempotency-key': 'the end'.replace(' ', '-') }
      const end = { type: 'status', status: 'completed' }
      const send = () => ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, end, key)
      expect((await send()).version).toBe(2)
      expect((await send()).version).toBe(2)
      expect((await ada.refusal('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }, key)).status).toBe(422)
    })

    test('Idempotency-Key sent many times at once, by two producers of one job, applies once', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const { token } = await ada.share(id, { can: 'publish' })
      const headers = { 'idempotency-key': 'same' }
      const other = { ...headers, authorization: `Bearer ${token}` }
      const event = { type: 'log', message: 'once' }
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          ada.request('POST', `api/jobs/${id}/events`, event, n % 2 ? headers : other),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
      expect((await ada.read(id)).version).toBe(2)
    })

    test('Idempotency-Key of one job says nothing of another', async () => {
      const ada = await subject.client('ada')
      const headers = { 'idempotency-key': 'shared' }
      for (const done of [1, 2]) {
        const { id } = await ada.create()
        const event = { type: 'progress', done }
        expect((await ada.json<Receipt>(200, 'POST', `api/jobs/${id}/events`, event, headers)).version).toBe(2)
      }
    })
  })
}
