import { describe, expect, test } from 'bun:test'
import { createOpenApi, openApiTexts } from '../../../../../server/http/openapi/openapi.ts'
import { defaultLimits } from '../../../../../shared/document/limits.ts'
import { newDocument } from '../../../../arbitraries.ts'
import { compileSchemas } from '../../../../support/compile-schemas.ts'
import { TestApp } from '../../../../support/test-app.ts'

interface Document {
  openapi: string
  servers?: { url: string }[]
  paths: Record<string, Record<string, unknown>>
  components: { schemas: Record<string, object> }
}

const document = createOpenApi(defaultLimits) as unknown as Document

/** Every call of the design's table. */
const calls = [
  'POST /api/jobs',
  'GET /api/jobs',
  'DELETE /api/jobs',
  'GET /api/jobs/{id}',
  'DELETE /api/jobs/{id}',
  'DELETE /api/jobs/{id}/tokens',
  'GET /api/jobs/{id}/retries',
  'POST /api/jobs/{id}/answers/{ask}',
  'POST /api/jobs/{id}/events',
  'POST /api/events',
  'POST /api/cloudevents',
  'GET /api/report',
  'GET /api/jobs/{id}/progress',
  'GET /api/progress',
  'POST /api/jobs/{id}/cancel',
  'POST /api/jobs/{id}/pause',
  'POST /api/jobs/{id}/resume',
  'POST /api/jobs/{id}/tokens',
  'POST /api/sign-in-links',
  'GET /api/sessions',
  'DELETE /api/sessions/{id}',
  'GET /api/audit',
  'GET /api/webhooks/secret',
  'GET /api/webhooks/undelivered',
  'POST /api/webhooks/undelivered/{id}/send',
  'GET /api/operator',
  'GET /api/operator/progress',
  'POST /api/services/{name}',
  'GET /healthz',
  'GET /readyz',
  'GET /openapi.json',
  'GET /metrics',
  'GET /',
  'GET /jobs/{id}',
  'GET /operator',
  'GET /docs',
  'GET /docs/{page}',
  'GET /sign-in',
  'POST /sign-in',
  'POST /sign-out',
  'GET /widget.js',
  'GET /widget-more.js',
  'GET /widget-full.js',
]

/** Routes that only our own pages ask for, or that are another way to a described one. */
const ofPages = [
  'GET /dashboard.js',
  'GET /operator.js',
  'GET /api.js',
  'GET /asks.js',
  'GET /bulk.js',
  'GET /job.js',
  'GET /manifest.webmanifest',
  'GET /icon.svg',
  'GET /shared.js',
  'GET /start.js',
  'GET /dashboard.css',
  // One of the pages of `/docs/{page}`.
  'GET /docs/api',
  // `/` where the app is mounted under a path.
  'GET /*',
]

/** Every value under a key, however deep. */
function valuesOf(key: string, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...valuesOf(key, inner)])
}

describe('createOpenApi', () => {
  test('createOpenApi describes every route, and no others', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.sort()).toEqual(calls.toSorted())
  })

  test('createOpenApi describes each route of the app, but for what belongs to the pages, and no other', () => {
    const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }
    const { app } = new TestApp({ assets })
    // Middleware is of all methods.
    const routes = app.routes.filter(({ method }) => method !== 'ALL')
    const names = new Set(routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`))
    expect([...names].sort()).toEqual([...calls, ...ofPages].sort())
  })

  test('createOpenApi has only references that resolve, and no keywords of older versions', () => {
    const references = valuesOf('$ref', document)
    expect(references.length).toBeGreaterThan(10)
    for (const reference of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(String(reference))?.[1]
      expect(Object.keys(document.components.schemas)).toContain(name ?? `${reference}`)
    }
    for (const keyword of ['nullable', '$id', '$schema', 'definitions']) expect(valuesOf(keyword, document)).toEqual([])
  })

  test('createOpenApi describes events: with fields that null clears, and no unknown fields', () => {
    const { oneOf } = document.components.schemas.Event as { oneOf: Record<string, unknown>[] }
    expect(oneOf[0]).toEqual({
      type: 'object',
      properties: {
        type: { type: 'string', const: 'progress' },
        done: { type: 'number', minimum: 0 },
        total: { anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }] },
        succeeded: { anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }] },
        failed: { anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }] },
        unit: { type: ['string', 'null'] },
        message: { type: ['string', 'null'] },
      },
      required: ['type', 'done'],
      additionalProperties: false,
    })
    expect(oneOf).toHaveLength(7)
  })

  test('createOpenApi has schemas that compile, accept valid values and refuse others', () => {
    const { Job, Event } = compileSchemas(document)
    expect(Job?.safeParse(newDocument()).success).toBe(true)
    expect(Job?.safeParse({ ...newDocument(), status: 'done' }).success).toBe(false)
    expect(Event?.safeParse({ type: 'progress', done: 1, unit: null }).success).toBe(true)
    expect(Event?.safeParse({ type: 'progress', done: 1, percent: 1 }).success).toBe(false)
  })
})

describe('openApiTexts', () => {
  test('openApiTexts creates the description once for all addresses of the server', async () => {
    let made = 0
    const textFor = openApiTexts(() => {
      made += 1
      return createOpenApi(defaultLimits)
    })
    const texts = await Promise.all(['/', '/progress', '/tenants/"acme"'].map(textFor))
    const [root, mounted, quoted] = texts.map(({ json }) => JSON.parse(json) as Document)
    expect(made).toBe(1)
    expect(root).toEqual({ ...document, servers: [{ url: '/' }] })
    // Without a slash that paths would double.
    expect(mounted).toEqual({ ...document, servers: [{ url: '/progress' }] })
    expect(quoted?.servers).toEqual([{ url: '/tenants/"acme"' }])
    expect(new Set(texts.map(({ etag }) => etag)).size).toBe(1)
  })

  test('GET /openapi.json returns 304 for its ETag', async () => {
    const app = new TestApp()
    const first = await app.request('GET', '/openapi.json')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    const again = await app.request('GET', '/openapi.json', undefined, { 'if-none-match': `W/${etag}` })
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, ''])
    expect((await app.request('GET', '/openapi.json', undefined, { 'if-none-match': '"other"' })).status).toBe(200)
  })
})
