import { describe, expect, test } from 'bun:test'
import type { SessionList } from '../../../shared/wire/api.ts'
import { ApiClient, unique } from '../../support/api-client.ts'
import { cookieOf, signIn, signInLink } from '../../support/sign-in.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Sessions: kept by the server, listed and ended. */
export function describeSessions(subject: RuntimeSubject): void {
  const at = (sub: string, more?: Parameters<typeof signIn>[2]) => signIn(subject.server.url, sub, more)
  const get = (path: string, headers: Record<string, string>) =>
    subject.anyone.json<SessionList>(200, 'GET', path, undefined, headers)
  const statusOf = async (method: string, path: string, headers: Record<string, string>) =>
    (await subject.anyone.request(method, path, undefined, headers)).status

  describe('sessions', () => {
    test('a session that is signed out is over: its cookie is refused, its streams and those of its tokens end', async () => {
      const sub = unique('leaver')
      const [browser, other] = [await at(sub), await at(sub)]
      const ada = await subject.client(sub)
      const { id } = await ada.create()
      const share = { can: 'watch', seconds: 3_600 }
      const { token } = await subject.anyone.json<{ token: string }>(
        201,
        'POST',
        `api/jobs/${id}/tokens`,
        share,
        browser,
      )
      const guest = new ApiClient(subject.server.url, token)
      const streams = await Promise.all([
        subject.anyone.stream(`api/jobs/${id}/progress`, browser),
        subject.anyone.stream(`api/progress?job=${id}`, browser),
        subject.anyone.stream('api/progress', browser),
        guest.stream(`api/jobs/${id}/progress`),
        subject.anyone.stream(`api/progress?token=${token}`),
      ])
      await using mine = await subject.anyone.stream(`api/jobs/${id}/progress`, other)
      for (const stream of [...streams, mine]) expect((await stream.next())?.event).toBe('snapshot')
      expect(await statusOf('POST', 'sign-out', browser)).toBe(303)
      const ends = await Promise.all(streams.map(async (stream) => (await stream.rest()).at(-1)?.data))
      expect(ends.filter((data) => data?.reason === 'token-expired').length).toBe(4)
      expect(await statusOf('GET', 'api/jobs', browser)).toBe(401)
      expect((await guest.refusal('GET', `api/jobs/${id}`)).status).toBe(401)
      expect(await statusOf('GET', `api/jobs/${id}?token=${token}`, {})).toBe(401)
      expect(await statusOf('GET', '', browser)).toBe(401)
      await ada.publish(id, { type: 'progress', done: 1 })
      expect((await mine.next())?.data.done).toBe(1)
      expect(await statusOf('POST', 'sign-out', browser)).toBe(303)
      // Where streams can't be reached from the request that ends the session, they ask as often as they are pinged.
    }, 180_000)

    test('what a session makes ends with it: its links, the sessions made from them, their streams, and what those made', async () => {
      const [sub, guest] = [unique('admin'), unique('guest')]
      const browser = await at(sub, { admin: true })
      const other = await at(sub, { admin: true })
      const child = await at(sub, { admin: true, browser })
      const grandchild = await at(guest, { browser: child })
      const [unused, last] = [
        await signInLink(subject.server.url, { sub: guest }, { browser }),
        await signInLink(subject.server.url, { sub: guest }, { browser: child }),
      ]
      const root = await subject.client('root', 'jobs:admin')
      const parentsOf = async (name: string) => {
        const { sessions } = await root.json<SessionList>(200, 'GET', `api/sessions?sub=${name}`)
        return sessions.map(({ id, parent }) => ({ id, parent }))
      }
      const own = (await get(`api/sessions?sub=${sub}`, child)).sessions.find(({ current }) => current)
      const first = (await get(`api/sessions?sub=${sub}`, browser)).sessions.find(({ current }) => current)
      expect(own?.parent).toBe(first?.id)
      expect(await parentsOf(guest)).toEqual([expect.objectContaining({ parent: own?.id })])
      expect((await get('api/sessions', grandchild)).sessions.map((session) => 'parent' in session)).toEqual([false])
      const streams = await Promise.all([child, grandchild].map((who) => subject.anyone.stream('api/progress', who)))
      await using mine = await subject.anyone.stream('api/progress', other)
      const { id } = await (await subject.client(guest)).create()
      await streams[1]?.next()
      expect(await statusOf('POST', 'sign-out', browser)).toBe(303)
      for (const link of [unused, last]) expect((await subject.anyone.request('GET', link)).status).toBe(401)
      for (const who of [child, grandchild]) expect(await statusOf('GET', 'api/jobs', who)).toBe(401)
      expect(await statusOf('POST', `api/jobs/${id}/tokens`, grandchild)).toBe(401)
      await Promise.all(streams.map((stream) => stream.rest()))
      expect(await parentsOf(guest)).toEqual([])
      expect((await parentsOf(sub)).length).toBe(1)
      expect(await statusOf('GET', 'api/jobs', other)).toBe(200)
      await (await subject.client(sub)).create()
      expect((await mine.next())?.data.owner).toBe(sub)
    }, 180_000)

    test('the form of the sign-in page makes a session of an access token, for a page of ours alone', async () => {
      const sub = unique('pasted')
      const form = (token: string, site: string) =>
        fetch(`${subject.server.url}sign-in`, {
          method: 'POST',
          headers: { 'sec-fetch-site': site },
          body: new URLSearchParams({ token, job: 'export-7' }),
          redirect: 'manual',
        })
      const token = await accessToken(sub)
      expect([(await form(token, 'cross-site')).status, (await form('x', 'same-origin')).status]).toEqual([403, 401])
      const signedIn = await form(token, 'same-origin')
      expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/jobs/export-7'])
      const { sessions } = await get('api/sessions', { cookie: cookieOf(signedIn) })
      expect(sessions).toMatchObject([{ sub, current: true, scopes: ['jobs:read', 'jobs:write'] }])
    })

    test('a publish token of a session ends with it', async () => {
      const browser = await at('publisher')
      const { id } = await (await subject.client('publisher')).create()
      const share = { can: 'publish' }
      const { token } = await subject.anyone.json<{ token: string }>(
        201,
        'POST',
        `api/jobs/${id}/tokens`,
        share,
        browser,
      )
      const worker = new ApiClient(subject.server.url, token)
      const event = { type: 'progress', done: 1 } as const
      await worker.publish(id, event)
      await worker.publish(id, event)
      await statusOf('POST', 'sign-out', browser)
      expect(await worker.refusal('POST', `api/jobs/${id}/events`, event)).toEqual({ status: 401, fields: [] })
    })

    test("GET /api/sessions lists one's own, by ids that are no cookies, and DELETE ends one of them", async () => {
      const sub = unique('lister')
      const [browser, other] = [await at(sub), await at(sub)]
      const { sessions } = await get('api/sessions', browser)
      expect(sessions).toEqual([expect.objectContaining({ sub }), expect.objectContaining({ sub })])
      const current = sessions.find(({ current }) => current)
      expect(sessions.filter(({ current }) => current).length).toBe(1)
      expect(current?.scopes).toEqual(['jobs:read', 'jobs:write'])
      const lasts = Date.parse(current?.expiresAt ?? '') - Date.parse(current?.createdAt ?? '')
      expect(lasts).toBe(43_200_000)
      for (const { id } of sessions) {
        expect(browser.cookie + other.cookie).not.toContain(id)
        expect(await statusOf('GET', 'api/jobs', { cookie: `milepost_session=${id}` })).toBe(401)
      }
      const eve = await at('eve')
      const path = `api/sessions/${sessions.find(({ current }) => !current)?.id}`
      expect(await statusOf('DELETE', path, eve)).toBe(404)
      expect(await statusOf('DELETE', path, { cookie: browser.cookie, 'sec-fetch-site': 'cross-site' })).toBe(403)
      expect(await statusOf('DELETE', path, browser)).toBe(204)
      expect(await statusOf('GET', 'api/jobs', other)).toBe(401)
      expect(await statusOf('DELETE', path, browser)).toBe(404)
      for (const id of ['x', `${current?.id}x`])
        expect(await statusOf('DELETE', `api/sessions/${id}`, browser)).toBe(404)
      expect((await get('api/sessions', browser)).sessions).toEqual([expect.objectContaining({ id: current?.id })])
    })

    test('GET /api/sessions shows an administrator those of anyone, and others their own alone', async () => {
      const sub = unique('watched')
      const browser = await at(sub)
      const root = await subject.client('root', 'jobs:admin')
      const theirs = await root.json<SessionList>(200, 'GET', `api/sessions?sub=${sub}`)
      expect(theirs.sessions).toEqual([expect.objectContaining({ sub, current: false })])
      if (subject.traits.knowsOwnersOnly)
        expect(await root.refusal('GET', 'api/sessions')).toEqual({ status: 422, fields: ['sub'] })
      else {
        const { sessions } = await root.json<SessionList>(200, 'GET', 'api/sessions')
        expect(sessions).toContainEqual(theirs.sessions[0] as SessionList['sessions'][number])
      }
      const ada = await subject.client('ada')
      expect(await ada.refusal('GET', `api/sessions?sub=${sub}`)).toEqual({ status: 403, fields: ['sub'] })
      expect((await ada.request('GET', 'api/sessions?sub=ada')).status).toBe(200)
      expect(await ada.refusal('GET', 'api/sessions?cursor=x')).toEqual({ status: 422, fields: ['cursor'] })
      expect((await (await subject.client('ada', '')).refusal('GET', 'api/sessions')).status).toBe(403)
      expect((await root.request('DELETE', `api/sessions/${theirs.sessions[0]?.id}`)).status).toBe(204)
      expect(await statusOf('GET', 'api/jobs', browser)).toBe(401)
    })

    test('a session lasts no longer than the token that its link was made with', async () => {
      const sub = unique('brief')
      const exp = Math.floor(Date.now() / 1_000) + 300
      const browser = await at(sub, { exp })
      const { sessions } = await get('api/sessions', browser)
      expect(sessions.map(({ expiresAt }) => Date.parse(expiresAt))).toEqual([exp * 1_000])
      const { id } = await (await subject.client(sub)).create()
      const made = await subject.anyone.json<{ expiresAt: string }>(201, 'POST', `api/jobs/${id}/tokens`, {}, browser)
      expect(Date.parse(made.expiresAt)).toBe(exp * 1_000)
    })
  })
}
