import { describe, expect, test } from 'bun:test'
import { problems, refuse } from '../../../../../server/errors.ts'
import { cookieOf } from '../../../../support/sign-in.ts'
import { TestApp } from '../../../../support/test-app.ts'

const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }
/** Longer than what the store said of a session is believed: milliseconds. */
const FORGOTTEN_MS = 6_000

describe('pages', () => {
  test("pages are 503 while the session store is unavailable, and count no request as a stranger's", async () => {
    const app = new TestApp({ assets, limits: { strangersPerSecond: 1 }, addressOf: () => '192.0.2.1' })
    const code = app.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
    const cookie = cookieOf(await app.app.request(`/sign-in?code=${code}`))
    const see = async (path: string, headers = {}) => (await app.app.request(path, { headers })).status
    const get = app.engine.notes.get.bind(app.engine.notes)
    app.engine.notes.get = () => Promise.reject(refuse(problems.unavailable()))
    await app.clock.advance(FORGOTTEN_MS)
    for (let asked = 0; asked < 10; asked++)
      for (const path of ['/', '/jobs/a', '/docs/api']) expect(await see(path, { cookie })).toBe(503)
    app.engine.notes.get = get
    expect(await see('/', { cookie })).toBe(200)
    expect([await see('/'), await see('/jobs/a'), await see('/docs/api'), await see('/')]).toEqual([401, 401, 200, 401])
    expect([await see('/'), await see('/docs/api'), await see('/', { cookie })]).toEqual([429, 429, 200])
  })

  test('pages load, embed and send only what is ours, tell other sites nothing, and are not stored', async () => {
    const { app } = new TestApp({ assets, hstsSeconds: 31_536_000 })
    const code = app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
    const cookie = cookieOf(await app.request(`/sign-in?code=${code}`))
    for (const [path, status] of [
      ['/', 401],
      ['/', 200],
      ['/jobs/a', 401],
      ['/jobs/a', 200],
      ['/sign-in', 401],
    ] as const) {
      const page = await app.request(path, { headers: status === 200 ? { cookie } : {} })
      const sent = Object.fromEntries(page.headers)
      expect([path, page.status, sent]).toMatchObject([
        path,
        status,
        {
          'content-type': 'text/html; charset=UTF-8',
          'content-security-policy':
            "default-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
          'referrer-policy': 'same-origin',
          'x-content-type-options': 'nosniff',
          'strict-transport-security': 'max-age=31536000',
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
          'cache-control': 'no-store',
        },
      ])
    }
  })

  test('pages report a failure to the operator, and show no sign-in page', async () => {
    const app = new TestApp({ assets })
    const code = app.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
    const cookie = cookieOf(await app.app.request(`/sign-in?code=${code}`))
    const failure = new Error('The store is damaged')
    app.engine.notes.get = () => Promise.reject(failure)
    await app.clock.advance(FORGOTTEN_MS)
    expect((await app.app.request('/', { headers: { cookie } })).status).toBe(500)
    expect(app.errors).toEqual([failure])
  })
})
