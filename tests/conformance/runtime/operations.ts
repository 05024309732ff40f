import { describe, expect, test } from 'bun:test'
import type { JobHeader } from '../../../shared/document/job.ts'
import type { ProblemDocument } from '../../../shared/wire/api.ts'
import type { OperatorFigures } from '../../../shared/wire/operator.ts'
import { type ApiClient, refusalOf, unique } from '../../support/api-client.ts'
import { described, type OpenApi } from '../../support/described-answers.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Health, readiness, the API's description, metrics, and what every answer has. */
export function describeOperations(subject: RuntimeSubject): void {
  describe('operations', () => {
    test('GET /healthz and /readyz answer anyone', async () => {
      for (const path of ['healthz', 'readyz']) {
        const response = await subject.anyone.request('GET', path)
        expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
        expect(await response.json()).toMatchObject({ status: 'ok' })
        expect((await subject.anyone.request('HEAD', path)).status).toBe(200)
      }
    })

    test('GET /openapi.json is the document that each answer of this suite is checked against, for anyone', async () => {
      const { servers, ...served } = await subject.anyone.json<OpenApi & { servers: unknown }>(
        200,
        'GET',
        'openapi.json',
      )
      expect(servers).toEqual([{ url: subject.server.url.replace(/\/$/, '') }])
      expect(served.openapi).toBe('3.1.0')
      expect(served).toEqual(described)
    })

    test('GET /widget.js is compressed for those who take that, has its length, to HEAD too, and an ETag', async () => {
      const ask = (method: string, headers: Record<string, string>) =>
        subject.anyone.request(method, 'widget.js', undefined, headers)
      const plain = await ask('GET', { 'accept-encoding': 'identity' })
      const text = await plain.text()
      const etag = plain.headers.get('etag') ?? ''
      expect([plain.status, plain.headers.get('content-encoding'), etag.length > 8]).toEqual([200, null, true])
      expect(plain.headers.get('vary')).toMatch(/accept-encoding/i)
      const gzip = await ask('GET', { 'accept-encoding': 'gzip' })
      if (!subject.traits.isCompressedByPlatform) expect(gzip.headers.get('content-encoding')).toBe('gzip')
      expect(await gzip.text()).toBe(text)
      const head = await ask('HEAD', { 'accept-encoding': 'identity' })
      expect(Number(head.headers.get('content-length'))).toBe(new TextEncoder().encode(text).length)
      const known = await ask('GET', { 'accept-encoding': 'identity', 'if-none-match': etag })
      expect([known.status, await known.text()]).toEqual([304, ''])
    })

    test('GET /metrics is for administrators, as OpenMetrics', async () => {
      expect((await subject.anyone.refusal('GET', 'metrics')).status).toBe(401)
      const ada = await subject.client('ada')
      expect((await ada.refusal('GET', 'metrics')).status).toBe(403)
      const admin = await subject.client('root', 'jobs:admin')
      const response = await admin.request('GET', 'metrics')
      expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
      const text = await response.text()
      for (const line of text.trimEnd().split('\n').slice(0, -1)) {
        expect(line).toMatch(
          /^# (TYPE|UNIT|HELP) (milepost|process)_[a-z_]+ .+$|^(milepost|process)_[a-z_]+(\{[a-z]+="[^"]+"\})? [\d.e+-]+$/,
        )
      }
      expect(text).toMatch(/^milepost_streams \d+$/m)
      expect(text).toMatch(/^milepost_channels \d+$/m)
      expect(text).toMatch(/^milepost_watchers\{view="header"\} \d+$/m)
      expect(text).toMatch(/^milepost_events_total \d+$/m)
      expect(text).toEndWith('# EOF\n')
    })

    test('GET /api/operator is for administrators, and tells who watches what in this process', async () => {
      expect((await subject.anyone.refusal('GET', 'api/operator')).status).toBe(401)
      const ada = await subject.client(unique('watcher'))
      expect((await ada.refusal('GET', 'api/operator')).status).toBe(403)
      const { id, createdBy } = await ada.create({ kind: 'a first kind' })
      await using stream = await ada.stream(`api/jobs/${id}/progress?parts=header`)
      await stream.next()
      const root = await subject.client('root', 'jobs:admin')
      const { streams, store, history } = await root.json<OperatorFigures>(200, 'GET', 'api/operator')
      const { knowsOwnersOnly } = subject.traits
      const isTold =
        streams.others > 0 || streams.principals.some(({ sub, header }) => sub === createdBy && header === 1)
      expect([isTold, history === undefined]).toEqual([true, knowsOwnersOnly === true])
      if (store) expect(store.byStatus.pending).toBeGreaterThan(0)
    })

    test('GET /api/operator/progress is for administrators, and streams the figures', async () => {
      expect((await subject.anyone.refusal('GET', 'api/operator/progress')).status).toBe(401)
      const ada = await subject.client(unique('watcher'))
      expect((await ada.refusal('GET', 'api/operator/progress')).status).toBe(403)
      const root = await subject.client('root', 'jobs:admin')
      await using stream = await root.stream('api/operator/progress')
      const [first] = await stream.take(1)
      const watching = ({ data }: { data: object }) => (data as OperatorFigures).streams.operator
      const before = first ? watching(first) : 0
      expect([first?.event, before > 0]).toEqual(['snapshot', true])
      await stream.ping()
      // Another stream changes the figures.
      await using _ = await root.stream('api/operator/progress')
      await stream.until((message) => watching(message) > before)
    })

    test('every answer has an X-Request-Id, the one that it came with if that is harmless', async () => {
      const idOf = async (id?: string) =>
        (await subject.anyone.request('GET', 'healthz', undefined, id ? { 'x-request-id': id } : {})).headers.get(
          'x-request-id',
        )
      expect(await idOf()).toMatch(/^[\w-]{36}$/)
      expect(await idOf('trace-7')).toBe('trace-7')
      expect(await idOf('<script>')).toMatch(/^[\w-]{36}$/)
      const refused = await subject.anyone.request('GET', 'api/jobs')
      expect(refused.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    })

    test('no answer is taken for something else than it says', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const answers = [
        await ada.request('GET', `api/jobs/${id}`),
        await ada.request('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }),
        await ada.request('POST', `api/jobs/${id}/events`, 'no JSON'),
        await ada.request('HEAD', `api/jobs/${id}/progress`),
        await subject.anyone.request('GET', 'openapi.json'),
        await subject.anyone.request('GET', 'widget.js'),
        await subject.anyone.request('GET', ''),
        await subject.anyone.request('GET', 'nothing'),
      ]
      for (const { headers, url } of answers)
        expect([url, headers.get('x-content-type-options')]).toEqual([url, 'nosniff'])
    })

    test('an address or a method that there is not is a problem document', async () => {
      const ada = await subject.client('ada')
      for (const [method, path] of [
        ['GET', 'nothing/here'],
        ['GET', 'api/nothing'],
        ['PUT', 'api/jobs'],
        ['PATCH', 'api/jobs/x'],
        ['GET', 'api/jobs/x/cancel'],
        ['POST', 'healthz'],
      ] as const)
        expect(await ada.refusal(method, path)).toEqual({ status: 404, fields: [] })
    })

    test('an upload to a service begins a job, and says where', async () => {
      const ada = await subject.client('uploader')
      const form = new FormData()
      form.set('sample', 'true')
      const started = await ada.request('POST', 'api/services/analysis', form)
      if (subject.traits.hasServices === false) {
        expect(await refusalOf(started)).toEqual({ status: 404, fields: [] })
        return
      }
      expect(started.status).toBe(202)
      const header = (await started.json()) as JobHeader
      expect(started.headers.get('location')).toBe(`/api/jobs/${header.id}`)
      expect([header.owner, header.createdBy]).toEqual(['uploader', 'uploader'])
      expect((await ada.read(header.id)).id).toBe(header.id)
      const noForm = { 'content-type': 'multipart/form-data; boundary=x' }
      const refusal = (who: ApiClient, name: string, body: unknown, headers = {}) =>
        who.refusal('POST', `api/services/${name}`, body, headers)
      expect(await refusal(ada, 'constructor', form)).toEqual({ status: 404, fields: [] })
      expect(await refusal(ada, 'analysis', {})).toEqual({ status: 415, fields: ['Content-Type'] })
      expect(await refusal(ada, 'analysis', 'no form', noForm)).toEqual({ status: 400, fields: ['body'] })
      expect(await refusal(await subject.client('uploader', 'jobs:read'), 'analysis', form)).toMatchObject({
        status: 403,
      })
      expect(await refusal(subject.anyone, 'analysis', form)).toMatchObject({ status: 401 })
    })

    test('an upload of many parts, or with long headers, is refused before the runtime splits it', async () => {
      if (subject.traits.hasServices === false) return
      const ada = await subject.client('uploader-of-many')
      const upload = (names: string[], boundary = 'b', type = `multipart/form-data; boundary=${boundary}`) => {
        const head = `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename=`
        const body = `${names.map((name) => `${head}"${name}"\r\n\r\na\r\n`).join('')}--${boundary}--\r\n`
        return ada.request('POST', 'api/services/analysis', body, { 'content-type': type })
      }
      const numbered = (count: number) => Array.from({ length: count }, (_, at) => `folder/${at}.txt`)
      const quoted = await upload(['a.txt'], 'a: b', 'multipart/form-data; charset=utf-8; boundary="a: b"')
      for (const answer of [await upload(numbered(1_000)), quoted]) {
        expect(answer.status).toBe(202)
        await ada.request('POST', `api/jobs/${((await answer.json()) as JobHeader).id}/cancel`)
      }
      const tooMany = await upload(numbered(1_001))
      const { status, detail, errors } = (await tooMany.json()) as ProblemDocument
      expect({ status, detail, errors }).toEqual({
        status: 413,
        detail: 'The form has more than 1000 parts. Send fewer files at once.',
        errors: [{ field: 'body', detail: 'has more than 1000 parts' }],
      })
      const refused = { status: 413, fields: ['body'] }
      expect(await refusalOf(await upload(['\\"'.repeat(5_000)]))).toEqual(refused)
      expect(await refusalOf(await upload(numbered(1_000).map((name) => name + 'x'.repeat(300))))).toEqual(refused)
      const noForm = { status: 400, fields: ['body'] }
      for (const type of ['multipart/form-data', `multipart/form-data; boundary=${'b'.repeat(71)}`])
        expect(await refusalOf(await upload(['a.txt'], 'b', type))).toEqual(noForm)
    })
  })
}
