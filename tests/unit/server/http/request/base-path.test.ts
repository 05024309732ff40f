import { describe, expect, test } from 'bun:test'
import { serveAt } from '../../../../../server/http/request/base-path.ts'
import { TestApp } from '../../../../support/test-app.ts'

const assets = { 'dashboard.js': 'js', 'dashboard.css': 'css', 'widget.js': 'widget' } as never

/** An app under a path, and who asks it. */
function served(basePath: string, publicOrigin?: string) {
  const inner = new TestApp({ assets, hstsSeconds: 300, publicOrigin })
  const serve = serveAt(basePath, inner.app)
  const request = async (path: string, init: RequestInit = {}) => serve(new Request(`http://localhost${path}`, init))
  return { inner, request }
}

describe('serveAt', () => {
  for (const passedOn of ['/mp', '']) {
    const name = passedOn === '' ? 'takes off the path' : 'leaves the path on'
    test(`serveAt serves a sub-path behind a proxy that ${name}`, async () => {
      const { inner, request } = served('/mp', 'https://example.com')
      const page = await request(`${passedOn}/jobs/j`)
      expect([page.status, (await page.text()).includes('<base href="/mp/">')]).toEqual([401, true])
      const code = inner.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read', 'jobs:write'] })
      const signIn = await request(`${passedOn}/sign-in?code=${code}`)
      expect([signIn.status, signIn.headers.get('location')]).toEqual([303, '/mp/'])
      const cookie = signIn.headers.get('set-cookie') ?? ''
      expect(cookie).toMatch(
        /^__Secure-milepost_session=[\w.-]+; Max-Age=43200; Path=\/mp\/; HttpOnly; Secure; SameSite=Lax$/,
      )
      const headers = { cookie: cookie.split(';')[0] ?? '', origin: 'https://example.com' }
      expect(await (await request(`${passedOn}/`, { headers })).text()).toContain('dashboard.js')
      const body = JSON.stringify({ id: 'j', kind: 'k', title: 't' })
      const json = { ...headers, 'content-type': 'application/json' }
      const created = await request(`${passedOn}/api/jobs`, { method: 'POST', body, headers: json })
      expect([created.status, created.headers.get('location')]).toEqual([201, '/mp/api/jobs/j'])
      const shared = await request(`${passedOn}/api/jobs/j/tokens`, { method: 'POST', body: '{}', headers: json })
      const { url } = (await shared.json()) as { url: string }
      expect(url).toStartWith('https://example.com/mp/api/jobs/j/progress?token=')
      const signOut = await request(`${passedOn}/sign-out`, { method: 'POST', headers })
      expect([signOut.status, signOut.headers.get('location')]).toEqual([303, '/mp/'])
      expect(signOut.headers.get('set-cookie')).toStartWith('__Secure-milepost_session=; Max-Age=0; Path=/mp/;')
      const nothing = await request(`${passedOn}/nothing`)
      expect([nothing.status, nothing.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
      expect(nothing.headers.get('strict-transport-security')).toBe('max-age=300')
    })
  }

  test('serveAt serves the path itself, and does not match longer names', async () => {
    const { request } = served('/mp')
    expect(await (await request('/mp')).text()).toContain('<base href="/mp/">')
    expect((await request('/mpx')).status).toBe(404)
    expect((await request('/healthz')).status).toBe(200)
  })

  test('serveAt the root names the cookie so that no other host of the domain can set it', async () => {
    const { inner, request } = served('', 'https://example.com')
    const code = inner.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
    const set = (await request(`/sign-in?code=${code}`)).headers.get('set-cookie') ?? ''
    expect(set).toMatch(/^__Host-milepost_session=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const [cookie = ''] = set.split(';')
    expect((await request('/', { headers: { cookie } })).status).toBe(200)
    // What a page without TLS could have set is not looked at.
    expect((await request('/', { headers: { cookie: cookie.replace('__Host-', '') } })).status).toBe(401)
  })
})
