import { describe, expect, test } from 'bun:test'
import { Context, Hono } from 'hono'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import type { AppPrincipal, Authenticate, Peer } from '../../../../server/auth/authenticate.ts'
import { TestApp } from '../../../support/test-app.ts'
import { SECRET } from '../../../support/tokens.ts'

const assets = { 'dashboard.js': 'js', 'dashboard.css': 'css', 'widget.js': 'widget' } as never
const scopes = ['jobs:read', 'jobs:write'] as const
const OURS = { 'sec-fetch-site': 'same-origin' }
const JSON_TYPE = { 'content-type': 'application/json' }

function appWith(authenticate: Authenticate): TestApp {
  return new TestApp({ auth: { secret: SECRET, authenticate }, assets })
}

/** An app that knows its users by a header. */
const byHeader: Authenticate = ({ headers }) => {
  const sub = headers.get('x-user')
  return sub === null ? undefined : { sub, scopes }
}

const job = { method: 'POST', body: '{"id":"j","kind":"k","title":"t"}' }

describe('createApp with authenticate', () => {
  test('authenticate says who reads, changes and looks at pages', async () => {
    const { app } = appWith(byHeader)
    const ada = { 'x-user': 'ada', ...OURS }
    const created = await app.request('/api/jobs', { ...job, headers: { ...ada, ...JSON_TYPE } })
    expect([created.status, await created.json()]).toMatchObject([201, { owner: 'ada', createdBy: 'ada' }])
    const published = await app.request('/api/jobs/j/events', {
      method: 'POST',
      body: '{"type":"status","status":"running"}',
      headers: { ...ada, ...JSON_TYPE },
    })
    expect(published.status).toBe(200)
    expect((await app.request('/api/jobs/j', { headers: { 'x-user': 'ada' } })).status).toBe(200)
    expect((await app.request('/api/jobs/j', { headers: { 'x-user': 'bob' } })).status).toBe(404)
    expect((await app.request('/', { headers: { 'x-user': 'ada' } })).status).toBe(200)
    expect((await app.request('/')).status).toBe(401)
    expect((await app.request('/api/jobs')).status).toBe(401)
    const stream = await app.request('/api/jobs/j/progress', { headers: { 'x-user': 'ada' } })
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    await stream.body?.cancel()
  })

  test('authenticate is not believed on what another site may have sent', async () => {
    const { app } = appWith(byHeader)
    const basic = { authorization: 'Basic YWRhOnNlY3JldA==' }
    for (const more of [{}, { 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }, basic]) {
      const headers = { 'x-user': 'ada', ...JSON_TYPE, ...more }
      expect((await app.request('/api/jobs', { ...job, headers })).status).toBe(403)
    }
    // No browser adds a bearer token by itself.
    const bearer = { 'x-user': 'ada', authorization: 'Bearer of-the-app', ...JSON_TYPE }
    expect((await app.request('/api/jobs', { ...job, headers: bearer })).status).toBe(201)
  })

  test('authenticate opens a WebSocket for a page of this origin alone', async () => {
    const { app } = appWith(byHeader)
    const statusOf = async (site: string) => {
      const headers = { 'x-user': 'ada', 'sec-fetch-site': site, upgrade: 'websocket' }
      return (await app.request('/api/report', { headers })).status
    }
    // This app has no WebSockets.
    expect([await statusOf('cross-site'), await statusOf('same-origin')]).toEqual([403, 404])
  })

  test('authenticate is not asked about tokens of Milepost, and others work where it knows nobody', async () => {
    const asked: string[] = []
    const test = appWith((request) => {
      asked.push(new URL(request.url).pathname)
      return undefined
    })
    await test.create({ id: 'j' })
    const { token } = (await (await test.request('POST', '/api/jobs/j/tokens', {})).json()) as { token: string }
    asked.length = 0
    expect((await test.app.request('/api/jobs/j', { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    expect((await test.app.request(`/api/jobs/j?token=${token}`)).status).toBe(200)
    expect(asked).toEqual([])
    const code = test.app.createSignInCode({ sub: 'eve', scopes: ['jobs:read'] })
    const cookie = (await test.app.request(`/sign-in?code=${code}`)).headers.get('set-cookie')?.split(';')[0] ?? ''
    expect((await test.app.request('/api/jobs', { headers: { cookie } })).status).toBe(200)
  })

  test('a principal of authenticate ends with its session', async () => {
    const principal = { sub: 'ada', scopes, expiresAt: 0 }
    const test = appWith(() => principal)
    principal.expiresAt = test.clock.now() + 60_000
    const created = await test.app.request('/api/jobs', { ...job, headers: { ...OURS, ...JSON_TYPE } })
    expect(created.status).toBe(201)
    const made = await test.app.request('/api/jobs/j/tokens', {
      method: 'POST',
      body: '{"seconds":3600}',
      headers: { ...OURS, ...JSON_TYPE },
    })
    expect(await made.json()).toMatchObject({ expiresAt: new Date(principal.expiresAt).toISOString() })
    const stream = await test.app.request('/api/jobs/j/progress')
    const text = stream.text()
    await test.clock.advance(60_000)
    expect(await text).toContain('token-expired')
    expect((await test.app.request('/api/jobs')).status).toBe(401)
  })

  const odd: [what: string, answer: () => unknown][] = [
    ['an empty name', () => ({ sub: '', scopes: [] })],
    ['no name', () => ({ scopes: [] })],
    ['a name that UTF-8 does not have', () => ({ sub: '\ud800', scopes: [] })],
    ['a name of 513 characters', () => ({ sub: 'a'.repeat(513), scopes: [] })],
    ['no scopes', () => ({ sub: 'ada' })],
    ['a scope that there is not', () => ({ sub: 'ada', scopes: ['jobs:everything'] })],
    ['scopes in one text', () => ({ sub: 'ada', scopes: 'jobs:read' })],
    ['an end that is no time', () => ({ sub: 'ada', scopes: [], expiresAt: Number.NaN })],
    ['a text', () => 'ada'],
    ['an exception', () => Promise.reject(new Error('the session store is away'))],
  ]
  test.each(odd)('authenticate that gives %s is a 503, which tells nobody why', async (_, answer) => {
    const test = appWith(answer as () => AppPrincipal)
    const response = await test.app.request('/api/jobs')
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { type: 'urn:milepost:unavailable', detail: 'Sign-in does not work now. Try again later.' },
    ])
    expect(test.errors).toHaveLength(1)
  })

  test('authenticate that takes for ever is a 503 after five seconds', async () => {
    const test = appWith(() => new Promise(() => {}))
    const response = test.app.request('/api/jobs')
    await test.clock.advance(5_000)
    expect((await response).status).toBe(503)
    expect(String(test.errors[0])).toContain('authenticate has not answered for 5000 ms')
  })

  test('authenticate gets the address of who sent the request, and whether it is a trusted proxy', async () => {
    const peers: Peer[] = []
    const authenticate: Authenticate = (_, peer) => {
      peers.push(peer)
      return { sub: 'ada', scopes }
    }
    const addressOf = (request: Request) => request.headers.get('x-test-peer') ?? undefined
    const test = new TestApp({ auth: { secret: SECRET, authenticate }, trustedProxies: ['10.0.0.0/8'], addressOf })
    for (const address of ['10.1.2.3', '192.0.2.1']) {
      const headers = { 'x-test-peer': address, 'x-forwarded-for': '10.9.9.9' }
      expect((await test.app.request('/api/jobs', { headers })).status).toBe(200)
    }
    await test.app.request('/api/jobs', { headers: { 'x-forwarded-for': '10.9.9.9' } })
    expect(peers).toEqual([
      { address: '10.1.2.3', isTrustedProxy: true },
      { address: '192.0.2.1', isTrustedProxy: false },
      { address: undefined, isTrustedProxy: false },
    ])
  })

  test('authenticate gives a principal its scopes and nothing else', async () => {
    const test = appWith(() => ({ sub: 'ada', scopes: [], jobs: [{ job: 'j', can: 'watch' }], session: 'x' }) as never)
    expect((await test.app.request('/api/jobs')).status).toBe(403)
  })

  test('an app signs its people in with a signed cookie of its own, and they see the pages under its mount', async () => {
    const authenticate: Authenticate = async (request) => {
      const sub = await getSignedCookie(new Context(request), SECRET, 'user')
      return sub ? { sub, scopes } : undefined
    }
    const outer = new Hono()
    outer.post('/login', async (c) => {
      await setSignedCookie(c, 'user', 'ada', SECRET)
      return c.text('welcome')
    })
    outer.route('/progress', appWith(authenticate).app)
    const cookie = (await outer.request('/login', { method: 'POST' })).headers.get('set-cookie')?.split(';')[0] ?? ''
    expect((await outer.request('/progress/', { headers: { cookie } })).status).toBe(200)
    const headers = { cookie, ...OURS, ...JSON_TYPE }
    expect((await outer.request('/progress/api/jobs', { ...job, headers })).status).toBe(201)
    expect((await outer.request('/progress/api/jobs/j', { headers: { cookie } })).status).toBe(200)
    const forged = { cookie: cookie.replace('ada', 'bob') }
    expect((await outer.request('/progress/api/jobs/j', { headers: forged })).status).toBe(401)
  })
})
