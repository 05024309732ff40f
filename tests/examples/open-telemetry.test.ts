import { expect, test } from 'bun:test'
import { accessToken } from '../support/tokens.ts'
import { compileDocApp, startDocApp } from './doc-app.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

interface Attribute {
  key: string
  value: Record<string, unknown>
}

interface Span {
  name: string
  traceId: string
  parentSpanId?: string
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Attribute[]
}

/** The body of OTLP over HTTP, as far as it is read. */
interface Export {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] }[]
}

test('app.md has an app with OpenTelemetry that compiles', async () => {
  expect(await compileDocApp('RequestRecord')).toBe('')
})

test('app.md has an app that sends a span of each sampled request to a collector', async () => {
  const spans: Span[] = []
  const arrived = Promise.withResolvers<void>()
  using collector = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      expect([request.method, new URL(request.url).pathname]).toEqual(['POST', '/v1/traces'])
      const { resourceSpans } = (await request.json()) as Export
      for (const { resource, scopeSpans } of resourceSpans) {
        expect(resource.attributes).toEqual([{ key: 'service.name', value: { stringValue: 'milepost' } }])
        spans.push(...scopeSpans.flatMap((scope) => scope.spans))
      }
      if (spans.length >= 3) arrived.resolve()
      return Response.json({})
    },
  })
  await using app = await startDocApp('RequestRecord', () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.origin }))
  const authorization = `Bearer ${await accessToken('ada')}`
  const ask = (path: string, flags: string, more: Record<string, string> = {}) =>
    fetch(`${app.url}/progress/${path}`, { headers: { traceparent: `00-${TRACE}-${SPAN}-${flags}`, ...more } })
  expect((await ask('healthz', '00')).status).toBe(200)
  expect((await ask('api/jobs/export-7', '01', { authorization })).status).toBe(404)
  expect((await ask('api/jobs', '01', { authorization })).status).toBe(200)
  expect((await fetch(`${app.url}/progress/healthz`)).status).toBe(200)
  await arrived.promise
  const shown = spans.map(({ name, traceId, parentSpanId, attributes }) => {
    const status = attributes.find(({ key }) => key === 'http.response.status_code')?.value.intValue
    return [name, traceId === TRACE, parentSpanId, status]
  })
  expect(shown).toEqual([
    ['GET /progress/api/jobs/:id', true, SPAN, 404],
    ['GET /progress/api/jobs', true, SPAN, 200],
    ['GET /progress/healthz', false, undefined, 200],
  ])
  for (const { startTimeUnixNano: start, endTimeUnixNano: end } of spans) {
    expect(BigInt(end)).toBeGreaterThanOrEqual(BigInt(start))
    expect(Math.abs(Number(BigInt(start) / 1_000_000n) - Date.now())).toBeLessThan(60_000)
  }
})
