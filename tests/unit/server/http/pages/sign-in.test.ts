import { describe, expect, test } from 'bun:test'
import { problems, refuse } from '../../../../../server/errors.ts'
import { cookieOf } from '../../../../support/sign-in.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'

const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }
const OURS = { 'sec-fetch-site': 'same-origin' }

/** Sends the form of the sign-in page. */
const send = ({ app }: TestApp, fields: Record<string, string>, headers: Record<string, string> = OURS) =>
  app.request('/sign-in', { method: 'POST', headers, body: new URLSearchParams(fields) })

/** The cells of an audit record that are about the sign-in. */
async function audited({ app }: TestApp) {
  const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
  const { records } = (await (await app.request('/api/audit', { headers: { authorization } })).json()) as {
    records: Record<string, unknown>[]
  }
  return records
}

describe('the sign-in page', () => {
  test('the sign-in page takes an access token: the session has its scopes, and ends with it', async () => {
    const test = new TestApp({ assets })
    const exp = test.clock.now() / 1_000 + 60
    const token = await virtualToken('ada', 'jobs:read', { exp })
    const signedIn = await send(test, { token: ` ${token}\n` })
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/'])
    expect(signedIn.headers.get('set-cookie')).toContain('Max-Age=60;')
    const headers = { cookie: cookieOf(signedIn) }
    const { sessions } = (await (await test.app.request('/api/sessions', { headers })).json()) as {
      sessions: unknown[]
    }
    expect(sessions).toMatchObject([
      { sub: 'ada', scopes: ['jobs:read'], expiresAt: new Date(exp * 1_000).toISOString() },
    ])
    expect((await test.app.request('/', { headers })).status).toBe(200)
    expect(await audited(test)).toMatchObject([{ action: 'sign-in', sub: 'ada', by: 'token' }])
    await test.clock.advance(60_000)
    expect((await test.app.request('/', { headers })).status).toBe(401)
  })

  test('the sign-in page of a job leads on to that job', async () => {
    const test = new TestApp({ assets })
    const page = await (await test.app.request('/jobs/export-7')).text()
    expect(page).toContain('<input type="hidden" name="job" value="export-7">')
    const to = async (job: string) => (await send(test, { token: await test.token, job })).headers.get('location')
    expect([await to('export-7'), await to('//evil.example'), await to('')]).toEqual(['/jobs/export-7', '/', '/'])
  })

  test('the sign-in page refuses tokens of a job, expired ones, forged ones and none, and says why', async () => {
    const test = new TestApp({ assets })
    const { id } = await test.create()
    const { token: watch } = (await (await test.request('POST', `/api/jobs/${id}/tokens`, {})).json()) as {
      token: string
    }
    const old = await virtualToken('ada', 'jobs:read', { exp: test.clock.now() / 1_000 - 1 })
    const forged = `${(await test.token).slice(0, -4)}AAAA`
    for (const [token, why] of [
      [watch, 'A token of one job signs nobody in.'],
      [old, 'The token is invalid or expired.'],
      [forged, 'The token is invalid or expired.'],
      ['', 'The token is invalid or expired.'],
      ['"><script>', 'The token is invalid or expired.'],
    ] as const) {
      const refused = await send(test, { token })
      const page = await refused.text()
      expect([refused.status, page]).toEqual([401, expect.stringContaining(`<p role="alert">${why}`)])
      expect(refused.headers.get('set-cookie')).toBeNull()
      if (token !== '') expect(page).not.toContain(token)
    }
    expect(await audited(test)).toMatchObject([
      ...Array(5).fill({ action: 'credentials-refused', method: 'POST', path: '/sign-in', status: 401 }),
      { action: 'token-created' },
    ])
  })

  test('the sign-in page signs nobody in for the form of another site', async () => {
    const test = new TestApp({ assets })
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]) {
      const refused = await send(test, { token: await test.token }, headers as Record<string, string>)
      expect([refused.status, refused.headers.get('set-cookie')]).toEqual([403, null])
    }
    expect((await send(test, { token: await test.token }, { origin: 'http://localhost' })).status).toBe(303)
  })

  test('the sign-in page reads a form of 16 KiB, of this type, at the rate of strangers', async () => {
    const test = new TestApp({ assets, limits: { strangersPerSecond: 1 }, addressOf: () => '192.0.2.1' })
    expect((await send(test, { token: 'x'.repeat(16_385) })).status).toBe(413)
    const headers = { ...OURS, 'content-type': 'application/json' }
    expect((await test.app.request('/sign-in', { method: 'POST', headers, body: '{}' })).status).toBe(415)
    const sent = async () => (await send(test, { token: await test.token })).status
    const statuses = [
      await sent(),
      await sent(),
      await sent(),
      await sent(),
      await sent(),
      await sent(),
      await sent(),
      await sent(),
    ]
    expect([statuses[0], statuses.at(-1)]).toEqual([303, 429])
  })

  test('the sign-in page is a 503 while the store of sessions is away', async () => {
    const test = new TestApp({ assets })
    test.engine.notes.put = () => Promise.reject(refuse(problems.unavailable()))
    expect((await send(test, { token: await test.token })).status).toBe(503)
  })

  test('the sign-in page says that a link was used, and nothing of links to others', async () => {
    const test = new TestApp({ assets })
    const code = test.app.createSignInCode({ sub: 'ada', scopes: ['jobs:read'] })
    const open = async (path: string) => (await test.app.request(path)).text()
    await open(`/sign-in?code=${code}`)
    expect(await open(`/sign-in?code=${code}`)).toContain('This link was used, or is older than ten minutes.')
    expect(await open('/sign-in')).not.toContain('This link was used')
  })
})
