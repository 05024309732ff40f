import { describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { assets } from '../../../server/generated/assets.ts'
import type { SignInLink } from '../../../shared/wire/api.ts'
import { ApiClient, refusalOf, unique } from '../../support/api-client.ts'
import { signIn } from '../../support/sign-in.ts'
import { accessToken, SECRET } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Who may call, from where, and what a stranger can learn. */
export function describeAccess(subject: RuntimeSubject, origin: string): void {
  describe('access tokens', () => {
    test('a request without a token, or with one that is not valid, is 401 and says how', async () => {
      const exp = Math.floor(Date.now() / 1_000) + 3_600
      const claims = { sub: 'ada', scope: 'jobs:read jobs:write jobs:admin', exp }
      const [header, payload, signature] = (await accessToken('ada')).split('.')
      const now = Math.floor(Date.now() / 1_000)
      const tokens = [
        'x',
        await sign(claims, 'another-secret-of-32-bytes-at-least!'),
        await sign(claims, SECRET, 'HS512'),
        `${base64url({ alg: 'none', typ: 'JWT' })}.${base64url(claims)}.`,
        `${header}.${base64url(claims)}.${signature}`,
        `${header}.${payload}.`,
        await accessToken('ada', 'jobs:read', { exp: now - 1 }),
        await accessToken('ada', 'jobs:read', { exp: undefined }),
        await accessToken('ada', 'jobs:read', { exp: now + 91 * 86_400 }),
        await accessToken('ada', 'jobs:read', { nbf: now + 60 }),
        await accessToken('ada', 'jobs:read', { typ: 'milepost-session' }),
        await accessToken('ada', 'jobs:read', { typ: 'milepost-job' }),
        await accessToken('', 'jobs:read'),
      ]
      const paths = ['api/jobs', 'api/jobs/x', 'api/jobs/x/progress', 'api/progress', 'metrics']
      for (const token of tokens) {
        for (const path of paths) {
          const client = new ApiClient(subject.server.url, token)
          expect(await client.refusal('GET', path)).toEqual({ status: 401, fields: [] })
        }
      }
      for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic YTpi', 'Bearer a b', `Token ${tokens[0]}`])
        expect((await subject.anyone.refusal('GET', 'api/jobs', undefined, { authorization })).status).toBe(401)
      const response = await subject.anyone.request('GET', 'api/jobs')
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(response.headers.get('cache-control')).toBe('no-store')
    })

    test('a job that is not yours and one that is not there are the same answer, byte for byte', async () => {
      const ada = await subject.client('ada')
      const eve = await subject.client('eve')
      const { id } = await ada.create()
      const bytes = async (method: string, path: string, body?: unknown) => {
        const response = await eve.request(method, path, body)
        const headers = Object.fromEntries(response.headers)
        delete headers['x-request-id']
        delete headers.date
        return { status: response.status, headers, text: await response.text() }
      }
      const calls = [
        ['GET', ''],
        ['GET', '?parts=header'],
        ['GET', '?since=x-1'],
        ['GET', '/progress'],
        ['DELETE', ''],
        ['POST', '/cancel'],
        ['POST', '/pause'],
        ['POST', '/resume'],
        ['POST', '/tokens', {}],
        ['POST', '/events', { type: 'progress', done: 1 }],
      ] as const
      for (const [method, path, body] of calls) {
        const theirs = await bytes(method, `api/jobs/${id}${path}`, body)
        expect(theirs.status).toBe(404)
        expect(theirs).toEqual(await bytes(method, `api/jobs/no-such-job${path}`, body))
      }
      expect(await bytes('GET', `api/progress?job=${id}`)).toEqual(await bytes('GET', 'api/progress?job=no-such-job'))
      expect((await ada.read(id)).version).toBe(1)
    })

    test('owner and creator have each what is theirs, by their scopes', async () => {
      const creator = await subject.client('creator', 'jobs:read jobs:write jobs:assign')
      const owner = await subject.client('owner')
      const admin = await subject.client('root', 'jobs:admin')
      const { id } = await creator.create({ owner: 'owner' })
      const progress = { type: 'progress', done: 1 }
      const statusOf = async (who: ApiClient, method: string, path: string, body?: unknown) => {
        const response = await who.request(method, `api/jobs/${id}${path}`, body)
        await response.body?.cancel()
        return response.status
      }
      const row = async (who: ApiClient) => [
        await statusOf(who, 'GET', ''),
        await statusOf(who, 'HEAD', '/progress'),
        await statusOf(who, 'POST', '/events', progress),
        await statusOf(who, 'POST', '/pause'),
        await statusOf(who, 'POST', '/tokens', {}),
        await statusOf(who, 'POST', '/tokens', { can: 'publish' }),
      ]
      expect(await row(owner)).toEqual([200, 200, 403, 202, 201, 403])
      expect(await row(creator)).toEqual([200, 200, 200, 403, 201, 201])
      expect(await row(admin)).toEqual([200, 200, 200, 202, 201, 201])
      expect(await row(await subject.client('owner', 'jobs:write'))).toEqual([403, 403, 403, 403, 403, 403])
      expect(await row(await subject.client('creator', 'jobs:read'))).toEqual([403, 403, 403, 403, 403, 403])
      expect(await row(await subject.client('stranger'))).toEqual([404, 404, 404, 404, 404, 404])
      expect((await owner.request('DELETE', `api/jobs/${id}`)).status).toBe(204)
    })

    test('what a scope is needed for is 403 without it', async () => {
      const none = await subject.client('ada', '')
      expect((await none.refusal('GET', 'api/jobs')).status).toBe(403)
      expect((await none.refusal('GET', 'api/progress')).status).toBe(403)
      expect((await none.refusal('POST', 'api/jobs', { kind: 'k', title: 't' })).status).toBe(403)
    })
  })

  describe('the session of a browser', () => {
    let signedIn: Promise<{ cookie: string }> | undefined
    /** The cookie of a browser that is signed in. */
    const cookie = async () => {
      signedIn ??= signIn(subject.server.url, 'ada')
      return (await signedIn).cookie
    }

    test('the session of a browser reads, and changes things from our own pages alone', async () => {
      const { anyone } = subject
      const host = new URL(subject.server.url).host
      const post = async (headers: Record<string, string>) => {
        const body = { kind: 'test', title: 'By cookie' }
        const response = await anyone.request('POST', 'api/jobs', body, { cookie: await cookie(), ...headers })
        await response.body?.cancel()
        return response.status
      }
      expect((await anyone.request('GET', 'api/jobs', undefined, { cookie: await cookie() })).status).toBe(200)
      expect(await post({ 'sec-fetch-site': 'same-origin' })).toBe(201)
      expect(await post({ origin: `http://${host}` })).toBe(201)
      for (const headers of [
        {},
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'cross-site', origin: `http://${host}` },
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: `http://${host}.evil.example` },
        { origin },
      ])
        expect(await post(headers as Record<string, string>)).toBe(403)
      const known = (await cookie()).split('=')[1] ?? ''
      const another = known.endsWith('0') ? '1' : '0'
      for (const forged of [await accessToken('ada', 'jobs:read'), known.slice(0, -1) + another, `${known}0`, 'x']) {
        const bad = { cookie: `milepost_session=${forged}`, 'sec-fetch-site': 'same-origin' }
        expect((await anyone.refusal('GET', 'api/jobs', undefined, bad)).status).toBe(401)
      }
    })

    test('the session of a browser is no access token', async () => {
      const token = (await cookie()).split('=')[1] ?? ''
      expect((await new ApiClient(subject.server.url, token).refusal('GET', 'api/jobs')).status).toBe(401)
    })

    test('the pages ask those to sign in who are not, and no page is kept by caches', async () => {
      for (const path of ['', 'jobs/x']) {
        const stranger = await subject.anyone.request('GET', path)
        expect([stranger.status, stranger.headers.get('cache-control')]).toEqual([401, 'no-store'])
        const page = await subject.anyone.request('GET', path, undefined, { cookie: await cookie() })
        expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store'])
        expect(page.headers.get('content-type')).toMatch(/^text\/html; charset=utf-8$/i)
        expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
      }
      const widget = await subject.anyone.request('GET', 'widget.js')
      expect([widget.status, widget.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
      expect(widget.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
      // The same bytes on every runtime: those of the one build.
      expect(await widget.text()).toBe(assets['widget.js'])
    })

    test('the documentation is for anyone', async () => {
      const pages = ['docs', 'docs/wire', 'docs/errors', 'docs/settings', 'docs/running', 'docs/engines', 'docs/api']
      for (const path of pages) {
        const page = await subject.anyone.request('GET', path)
        expect([path, page.status]).toEqual([path, 200])
        expect(page.headers.get('content-type')).toMatch(/^text\/html; charset=utf-8$/i)
        expect(page.headers.get('content-security-policy')).toContain("style-src 'self'")
      }
      expect((await subject.anyone.refusal('GET', 'docs/none')).status).toBe(404)
    })

    test('a sign-in code works once, and a look at the link does not use it up', async () => {
      // A runtime without a console of its owner's prints none.
      const { signInLink } = subject.server
      if (signInLink === '') return
      expect((await subject.anyone.request('HEAD', signInLink)).status).toBe(200)
      const first = await subject.anyone.request('GET', signInLink)
      expect([first.status, first.headers.get('location')]).toEqual([303, '/'])
      const set = first.headers.get('set-cookie') ?? ''
      expect(set).toMatch(
        /^milepost_session=mpst_session_[0-9a-v]{42}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/,
      )
      const signedIn = { cookie: set.split(';')[0] ?? '' }
      expect((await subject.anyone.request('GET', '', undefined, signedIn)).status).toBe(200)
      expect((await subject.anyone.request('GET', 'metrics', undefined, signedIn)).status).toBe(403)
      expect((await subject.anyone.request('GET', signInLink)).status).toBe(401)
      expect((await subject.anyone.request('GET', 'sign-in?code=')).status).toBe(401)
      expect((await subject.anyone.request('GET', 'sign-in')).status).toBe(401)
    })

    test('a sign-in link signs a person in once, as who it was made for, and leads to the page of the job', async () => {
      const root = await subject.client('root', 'jobs:admin')
      const { id } = await (await subject.client('linda')).create()
      const made = Date.now()
      const link = await root.json<SignInLink>(201, 'POST', 'api/sign-in-links', { sub: 'linda', job: id })
      expect(link.url).toStartWith(`${subject.server.url}sign-in?code=`)
      expect(Math.abs(Date.parse(link.expiresAt) - made - 600_000)).toBeLessThan(60_000)
      const answers = await Promise.all([link.url, link.url].map((url) => subject.anyone.request('GET', url)))
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 401])
      const signedIn = answers.find(({ status }) => status === 303)
      expect(signedIn?.headers.get('location')).toBe(`/jobs/${id}`)
      const cookie = signedIn?.headers.get('set-cookie')?.split(';')[0] ?? ''
      const request = (method: string, path: string) =>
        subject.anyone.request(method, path, undefined, { cookie, 'sec-fetch-site': 'same-origin' })
      expect(await (await request('GET', 'api/jobs')).json()).toMatchObject({ jobs: [{ id }] })
      expect((await request('POST', `api/jobs/${id}/cancel`)).status).toBe(202)
      expect((await request('GET', 'metrics')).status).toBe(403)
    })

    test('a sign-in link signs in as an administrator only when it is asked to', async () => {
      for (const sub of ['root', 'linda']) {
        const metrics = async (admin: boolean) => {
          const headers = await signIn(subject.server.url, sub, { admin })
          return (await subject.anyone.request('GET', 'metrics', undefined, headers)).status
        }
        expect([await metrics(false), await metrics(true)]).toEqual([403, 200])
      }
    })

    test('a sign-in link takes the scope jobs:admin, and a name', async () => {
      const root = await subject.client('root', 'jobs:admin')
      const ada = await subject.client('ada')
      const refusal = (who: ApiClient, body: object) => who.refusal('POST', 'api/sign-in-links', body)
      expect(await refusal(ada, { sub: 'ada' })).toEqual({ status: 403, fields: [] })
      expect(await refusal(ada, { sub: 'ada', admin: true })).toEqual({ status: 403, fields: [] })
      expect(await refusal(root, { sub: 'ada', admin: 'yes' })).toEqual({ status: 422, fields: ['admin'] })
      expect(await refusal(root, {})).toEqual({ status: 422, fields: ['sub'] })
      expect(await refusal(root, { sub: '' })).toEqual({ status: 422, fields: ['sub'] })
      expect(await refusal(root, { sub: 'ada', job: 'a/b' })).toEqual({ status: 422, fields: ['job'] })
      expect(await refusal(root, { sub: 'ada', scope: 'jobs:admin' })).toEqual({ status: 422, fields: ['scope'] })
    })

    test('signing out takes the cookie away, from our own pages alone', async () => {
      const signOut = async (headers: Record<string, string>) =>
        subject.anyone.request('POST', 'sign-out', undefined, { cookie: leaving, ...headers })
      const { cookie: leaving } = await signIn(subject.server.url, 'ada')
      const response = await signOut({ 'sec-fetch-site': 'same-origin' })
      expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
      expect(response.headers.get('set-cookie')).toMatch(
        /^milepost_session=; Max-Age=0; Path=\/; HttpOnly; SameSite=Lax$/,
      )
      for (const headers of [
        {},
        { origin: 'https://evil.example' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
      ]) {
        const refused = await signOut(headers as Record<string, string>)
        expect(refused.headers.get('set-cookie')).toBeNull()
        expect(await refusalOf(refused)).toEqual({ status: 403, fields: [] })
      }
    })
  })

  describe('pages of other origins', () => {
    test('pages of the origins that are set may call with a token, and read what they need', async () => {
      const preflight = await subject.anyone.request('OPTIONS', 'api/jobs', undefined, {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      })
      expect(preflight.status).toBe(204)
      expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
      expect(preflight.headers.get('access-control-allow-headers')).toBe(
        'authorization,content-type,idempotency-key,last-event-id',
      )
      expect(preflight.headers.get('access-control-allow-methods')?.split(',')).toContain('DELETE')
      const ada = await subject.client('ada')
      const { id } = await ada.create({ id: unique('cors') })
      for (const path of [`api/jobs/${id}`, 'api/jobs/none', `api/jobs/${id}/progress`]) {
        const response = await ada.request('GET', path, undefined, { origin })
        await response.body?.cancel()
        expect(response.headers.get('access-control-allow-origin')).toBe(origin)
        expect(response.headers.get('access-control-expose-headers')).toBe(
          'etag,location,retry-after,ratelimit,ratelimit-policy,date',
        )
        expect(response.headers.get('vary')).toContain('Origin')
        expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      }
      const nobody = await subject.anyone.request('GET', 'api/jobs', undefined, { origin })
      expect([nobody.status, nobody.headers.get('access-control-allow-origin')]).toEqual([401, origin])
    })

    test('pages of any other origin may not', async () => {
      for (const stranger of ['https://evil.example', 'null', `${origin}.evil.example`, origin.toUpperCase()]) {
        const response = await subject.anyone.request('OPTIONS', 'api/jobs', undefined, { origin: stranger })
        expect(response.headers.get('access-control-allow-origin')).toBeNull()
      }
    })
  })
}
