import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import { TestApp } from '../../support/test-app.ts'

const docs = [{ path: 'docs/wire', title: 'Wire', html: '<h1>Wire</h1>', sections: [] }]
const assets = { 'dashboard.js': 'js', 'dashboard.css': 'css', 'widget.js': 'widget', docs } as never

/** Milepost inside another app, and that app. */
function mountedAt(path: string) {
  const inner = new TestApp({ assets, publicOrigin: 'http://example.com' })
  const outer = new Hono()
  outer.get('/', (c) => c.text('the other app'))
  outer.route(path, inner.app)
  const request = async (at: string, init: RequestInit = {}) => {
    const headers = {
      authorization: `Bearer ${await inner.token}`,
      'content-type': 'application/json',
      ...init.headers,
    }
    return outer.request(at, { ...init, headers })
  }
  return { inner, outer, request }
}

const post = (body: unknown) => ({ method: 'POST', body: JSON.stringify(body) })

for (const [pattern, base] of [
  ['/progress', '/progress'],
  ['/progress/', '/progress'],
  ['/tenants/:tenant/progress', '/tenants/acme/progress'],
  ['/t/:tenant{[a-z]+}', '/t/acme'],
] as const) {
  describe(`createApp mounted at ${pattern}`, () => {
    test('createApp makes links that stay under the mount', async () => {
      const { request } = mountedAt(pattern)
      const created = await request(`${base}/api/jobs`, post({ id: 'j', kind: 'k', title: 't' }))
      expect(created.status).toBe(201)
      expect(created.headers.get('location')).toBe(`${base}/api/jobs/j`)
      expect((await request(`${base}/api/jobs/j`)).status).toBe(200)
      const shared = await request(`http://example.com${base}/api/jobs/j/tokens`, post({}))
      const { url, token } = (await shared.json()) as { url: string; token: string }
      expect(url).toBe(`http://example.com${base}/api/jobs/j/progress?token=${token}`)
      const publish = await request(`http://example.com${base}/api/jobs/j/tokens`, post({ can: 'publish' }))
      expect(await publish.json()).toMatchObject({ url: `http://example.com${base}/api/jobs/j/events` })
      const { servers } = (await (await request(`${base}/openapi.json`)).json()) as { servers: unknown }
      expect(servers).toEqual([{ url: `http://example.com${base}` }])
    })

    test('createApp shows the documentation to anyone, with links that stay under the mount', async () => {
      const { outer } = mountedAt(pattern)
      const page = await outer.request(`${base}/docs/wire`)
      expect(page.status).toBe(200)
      const html = await page.text()
      expect(html).toContain(`<base href="${base}/">`)
      expect(html).toContain('<h1>Wire</h1>')
      expect((await outer.request(`${base}/docs/none`)).status).toBe(404)
    })

    test('createApp takes watch tokens in the URL', async () => {
      const { inner, outer, request } = mountedAt(pattern)
      await request(`${base}/api/jobs`, post({ id: 'j', kind: 'k', title: 't' }))
      const { url } = (await (await request(`${base}/api/jobs/j/tokens`, post({}))).json()) as { url: string }
      const stream = await outer.request(url)
      expect(stream.headers.get('content-type')).toBe('text/event-stream')
      expect(inner.app.hub.open).toEqual({ streams: 1, channels: 1 })
      await stream.body?.cancel()
      expect(inner.app.hub.open).toEqual({ streams: 0, channels: 0 })
    })

    test('createApp signs in with a cookie for the mount alone, and goes on to the page there', async () => {
      const { inner, outer } = mountedAt(pattern)
      const code = inner.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
      // Those who look at a link before they show it don't use it up.
      expect((await outer.request(`${base}/sign-in?code=${code}`, { method: 'HEAD' })).status).toBe(200)
      const signIn = await outer.request(`${base}/sign-in?code=${code}`)
      expect(signIn.status).toBe(303)
      expect(signIn.headers.get('location')).toBe(`${base}/`)
      const cookie = signIn.headers.get('set-cookie') ?? ''
      expect(cookie).toMatch(
        new RegExp(`^milepost_session=[\\w.-]+; Max-Age=43200; Path=${base}/; HttpOnly; SameSite=Lax$`),
      )
      const headers = { cookie: cookie.split(';')[0] ?? '' }
      const list = await outer.request(`${base}/api/jobs`, { headers })
      expect([list.status, await list.json()]).toEqual([200, { jobs: [] }])
      const page = await outer.request(`${base}/jobs/j`, { headers })
      expect(page.status).toBe(200)
      expect(await page.text()).toContain(`<base href="${base}/">`)
      const signOut = await outer.request(`${base}/sign-out`, {
        method: 'POST',
        headers: { ...headers, 'sec-fetch-site': 'same-origin' },
      })
      expect(signOut.headers.get('location')).toBe(`${base}/`)
      expect(signOut.headers.get('set-cookie')).toMatch(new RegExp(`^milepost_session=; Max-Age=0; Path=${base}/;`))
    })

    test('createApp answers with problem documents, and leaves the other app alone', async () => {
      const { outer, request } = mountedAt(pattern)
      const missing = await request(`${base}/api/jobs/none`)
      expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
      expect(missing.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
      const malformed = await request(`${base}/api/jobs`, { method: 'POST', body: '{' })
      expect([malformed.status, malformed.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
      const nobody = await outer.request(`${base}/api/jobs`)
      expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      const theirs = await outer.request('/')
      expect([await theirs.text(), theirs.headers.get('x-request-id')]).toEqual(['the other app', null])
    })

    test('createApp serves the element and the pages under the mount', async () => {
      const { outer } = mountedAt(pattern)
      const widget = await outer.request(`${base}/widget.js`)
      expect([widget.status, widget.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
      const page = await outer.request(`${base}/`)
      expect(page.status).toBe(401)
      expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
      expect(await page.text()).toContain(`<base href="${base}/">`)
    })
  })
}
