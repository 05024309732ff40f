import { describe, expect, test } from 'bun:test'
import type { AuditAction, AuditList, AuditRecord } from '../../../shared/wire/api.ts'
import { ApiClient, unique } from '../../support/api-client.ts'
import { signIn } from '../../support/sign-in.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

/** The audit: who did what, and was refused what. */
export function describeAudit(subject: RuntimeSubject): void {
  /** The records of an action, newest first, once there are so many of a principal or of the given address. Responses do not wait for them. */
  async function recorded(action: AuditAction, sub: string, count = 1): Promise<AuditRecord[]> {
    const root = await subject.client('root', 'jobs:admin')
    for (;;) {
      const path = `api/audit?action=${action}&sub=${sub}`
      const { records } = await root.json<AuditList>(200, 'GET', path)
      if (records.length >= count) return records
      await Bun.sleep(20)
    }
  }

  describe('audit', () => {
    test('GET /api/audit tells who signed in and out, made, revoked and deleted what', async () => {
      const [sub, maker] = [unique('audited'), unique('maker')]
      const admin = await subject.client(maker, 'jobs:admin')
      const { url } = await admin.json<{ url: string }>(201, 'POST', 'api/sign-in-links', { sub })
      const answer = await subject.anyone.request('GET', url)
      const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
      const browser = { cookie, 'sec-fetch-site': 'same-origin' }
      const ada = await subject.client(sub)
      const { id } = await ada.create()
      const { token } = await ada.share(id, { can: 'publish', seconds: 60 })
      await ada.request('DELETE', `api/jobs/${id}/tokens`)
      await ada.request('DELETE', `api/jobs/${id}`)
      await ada.request('DELETE', 'api/jobs?status=failed')
      await subject.anyone.request('POST', 'sign-out', undefined, browser)
      const other = await signIn(subject.server.url, sub)
      const [{ session = '' } = {}] = await recorded('sign-in', sub, 2)
      expect((await admin.request('DELETE', `api/sessions/${session}`)).status).toBe(204)

      const [link] = await recorded('link-created', maker)
      expect(link).toMatchObject({ for: sub, expiresAt: expect.any(String), requestId: expect.any(String) })
      expect((await recorded('sign-in', sub, 2)).map(({ by }) => by)).toEqual(['link', 'link'])
      const [made] = await recorded('token-created', sub)
      expect(made).toMatchObject({ job: id, can: 'publish', expiresAt: expect.any(String) })
      expect((await recorded('tokens-revoked', sub))[0]).toMatchObject({ job: id })
      expect((await recorded('job-deleted', sub))[0]).toMatchObject({ job: id, for: sub })
      expect((await recorded('jobs-deleted', sub))[0]).toMatchObject({ for: sub, jobStatus: 'failed' })
      expect((await recorded('sign-out', sub))[0]).toHaveProperty('session')
      expect((await recorded('session-revoked', maker))[0]).toMatchObject({ for: sub, session })

      const root = await subject.client('root', 'jobs:admin')
      const all = await root.json<AuditList>(200, 'GET', 'api/audit?limit=100')
      const text = JSON.stringify(all)
      for (const secret of [token, cookie.slice(-30), other.cookie.slice(-30), new URL(url, subject.server.url).search])
        expect(text).not.toContain(secret)
      const times = all.records.map(({ at }) => at)
      expect(times.toSorted().toReversed()).toEqual(times)
    })

    test('GET /api/audit tells who was refused, and why', async () => {
      const sub = unique('refused')
      const ada = await subject.client(sub)
      const { id } = await ada.create({ id: unique('job') })
      const reader = await subject.client(sub, 'jobs:read')
      expect((await reader.refusal('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 })).status).toBe(403)
      expect((await ada.refusal('GET', 'api/audit')).status).toBe(403)
      const { token } = await ada.share(id)
      const guest = new ApiClient(subject.server.url, token)
      expect((await guest.refusal('POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 })).status).toBe(401)
      expect((await ada.refusal('GET', 'api/jobs/none')).status).toBe(404)
      const shown = (await recorded('refused', sub, 2)).map(({ method, path, job, status, detail }) => ({
        method,
        path,
        job,
        status,
        detail,
      }))
      expect(shown).toContainEqual({
        method: 'POST',
        path: '/api/jobs/:id/events',
        job: id,
        status: 403,
        detail: 'Only the creator of a job publishes to it, with the scope jobs:write.',
      })
      expect(shown).toContainEqual({
        method: 'GET',
        path: '/api/audit',
        job: undefined,
        status: 403,
        detail: 'This needs the scope jobs:admin.',
      })
      expect(shown.length).toBe(2)
      expect((await recorded('credentials-refused', sub))[0]).toMatchObject({
        job: id,
        status: 401,
        detail: 'A watch token does not allow this. Use an access token.',
      })
    })

    test('GET /api/audit tells of credentials that nobody knows, but not of strangers without any', async () => {
      const root = await subject.client('root', 'jobs:admin')
      const count = async () =>
        (await root.json<AuditList>(200, 'GET', 'api/audit?action=credentials-refused&limit=100')).records.length
      const expired = await accessToken('ada', 'jobs:read', { exp: 1 })
      const before = await count()
      expect((await new ApiClient(subject.server.url, expired).refusal('GET', 'api/jobs')).status).toBe(401)
      expect((await subject.anyone.request('GET', 'sign-in?code=guessed')).status).toBe(401)
      expect((await subject.anyone.refusal('GET', 'api/jobs')).status).toBe(401)
      expect((await subject.anyone.request('GET', 'sign-in')).status).toBe(401)
      // Others of the suite may have used up what is recorded of this address.
      expect([0, 1, 2]).toContain((await count()) - before)
    })

    test('GET /api/audit refuses unknown filters, and pages', async () => {
      const root = await subject.client(unique('root'), 'jobs:admin')
      for (const [query, field] of [
        ['action=nothing', 'action'],
        ['cursor=x', 'cursor'],
        ['limit=0', 'limit'],
        ['sub=', 'sub'],
        ['since=x', 'since'],
      ])
        expect(await root.refusal('GET', `api/audit?${query}`)).toEqual({ status: 422, fields: [field ?? ''] })
      const first = await root.json<AuditList>(200, 'GET', 'api/audit?limit=1')
      const second = await root.json<AuditList>(200, 'GET', `api/audit?limit=1&cursor=${first.nextCursor}`)
      expect([first.records.length, second.records.length]).toEqual([1, 1])
      expect(second.records).not.toEqual(first.records)
      expect((await subject.anyone.refusal('GET', 'api/audit')).status).toBe(401)
    })
  })
}
