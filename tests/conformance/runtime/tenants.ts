import { describe, expect, test } from 'bun:test'
import type { Job, JobHeader } from '../../../shared/document/job.ts'
import type { AuditList, JobList, SessionList } from '../../../shared/wire/api.ts'
import { ApiClient, refusalOf, unique } from '../../support/api-client.ts'
import { cookieOf } from '../../support/sign-in.ts'
import { type Received, StreamReader } from '../../support/stream-reader.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

const ADMIN = 'jobs:admin jobs:read jobs:write'

/** The header in a message: of a patch, or of a snapshot, which a stream that has not listed all yet gets. */
const headerIn = ({ data }: Received) => (data.job ?? data) as JobHeader

/** Worlds of their own on one server: with the same ids, and the same names of people. */
export function describeTenants(subject: RuntimeSubject): void {
  const at = async (url: string, tenant: string | undefined, sub: string, scope?: string) =>
    new ApiClient(url, await accessToken(sub, scope, { tenant }))
  const client = (tenant: string | undefined, sub: string, scope?: string) => at(subject.server.url, tenant, sub, scope)
  const idsOf = async (who: ApiClient, query = '') =>
    (await who.json<JobList>(200, 'GET', `api/jobs${query}`)).jobs.map(({ id }) => id)
  /** One person of each of two tenants and of none, who are called the same, and each have a job with the same id. */
  const threeOf = async (word: string) => {
    const [sub, id] = [unique(word), unique(word)]
    const [acme, umbra] = [unique('acme'), unique('umbra')]
    const people = await Promise.all([acme, umbra, undefined].map((tenant) => client(tenant, sub)))
    const [ada, eve, bob] = people as [ApiClient, ApiClient, ApiClient]
    const jobs = await Promise.all(people.map((who, index) => who.create({ id, title: `Of ${index}` })))
    const [first, second, third] = jobs as [Job, Job, Job]
    return { sub, id, acme, umbra, ada, eve, bob, jobs: [first, second, third] as const }
  }

  describe('tenants', () => {
    test('tenants have jobs with the same ids, of people with the same names, and each is read, listed and published to alone', async () => {
      const { sub, id, ada, eve, bob, jobs } = await threeOf('same')
      const people = [ada, eve, bob]
      for (const [index, who] of people.entries()) {
        expect(await who.read(id)).toEqual(jobs[index] as Job)
        expect(jobs[index]).toMatchObject({ id, owner: sub, createdBy: sub, title: `Of ${index}` })
        expect(await idsOf(who)).toEqual([id])
        for (let n = 0; n <= index; n += 1) await who.publish(id, { type: 'progress', done: n })
      }
      for (const [index, who] of people.entries()) expect((await who.read(id)).version).toBe(index + 2)
      const child = await ada.create({ parentId: id })
      expect([child.parentId, await idsOf(ada, `?parent=${id}`)]).toEqual([id, [child.id]])
      expect(await idsOf(eve, `?parent=${id}`)).toEqual([])
      expect((await ada.request('POST', 'api/jobs', { id, kind: 'test', title: 'Of 0' })).status).toBe(200)
      expect(await ada.refusal('POST', 'api/jobs', { id, kind: 'test', title: 'Of 1' })).toEqual({
        status: 409,
        fields: ['id'],
      })
      expect((await eve.operate(id, 'cancel')).status).toBe('cancelled')
      expect((await eve.request('DELETE', `api/jobs/${id}`)).status).toBe(204)
      expect(await Promise.all([ada, bob].map(async (who) => (await who.read(id)).status))).toEqual([
        'pending',
        'pending',
      ])
      expect((await eve.refusal('GET', `api/jobs/${id}`)).status).toBe(404)
    })

    test('streams of tenants carry their own jobs alone: of one job, of several, of all, and of the children of one', async () => {
      const { id, ada, eve, bob, jobs } = await threeOf('followed')
      const people = [ada, eve, bob]
      const paths = [`api/jobs/${id}/progress`, `api/progress?job=${id}`, 'api/progress']
      const streams = await Promise.all(people.map((who) => Promise.all(paths.map((path) => who.stream(path)))))
      const ofChildren = await ada.stream(`api/progress?parent=${id}`)
      for (const [index, opened] of streams.entries())
        for (const stream of opened) expect((await stream.next())?.data.epoch).toBe(jobs[index]?.epoch)
      for (const who of [bob, eve]) await who.create({ parentId: id })
      const child = await ada.create({ parentId: id })
      expect((await ofChildren.next())?.data).toMatchObject({ jobId: child.id, owner: child.owner, parentId: id })
      await eve.publish(id, { type: 'progress', done: 2 })
      await ada.publish(id, { type: 'progress', done: 1 })
      await bob.publish(id, { type: 'progress', done: 3 })
      for (const [index, opened] of streams.entries()) {
        for (const stream of opened.slice(0, 2))
          expect((await stream.next())?.data).toMatchObject({ type: 'progress', done: index + 1, version: 2 })
        const [update] = (await opened[2]?.until(({ data }) => data.jobId === id))?.slice(-1) ?? []
        expect(update && headerIn(update)).toMatchObject({ id, progress: { done: index + 1 } })
        for (const stream of opened) {
          expect(stream.text).not.toContain('::')
          await stream.close()
        }
      }
      await ofChildren.close()
    }, 60_000)

    test('a job of another tenant is as one that is not there, byte for byte, by every call', async () => {
      const { acme, sub, ada, umbra } = await threeOf('hidden')
      const [secret, nobodys] = [await ada.create(), unique('nobodys')]
      const strangers = [
        await client(umbra, sub),
        await client(umbra, sub, ADMIN),
        await client(undefined, sub),
        await client(undefined, sub, 'jobs:read jobs:write jobs:assign'),
      ]
      const answersOf = async (who: ApiClient, id: string) => {
        const answers: string[] = []
        for (const [method, path, body] of [
          ['GET', `api/jobs/${id}`],
          ['GET', `api/jobs/${id}/progress`],
          ['GET', `api/progress?job=${id}`],
          ['POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }],
          ['POST', `api/jobs/${id}/cancel`],
          ['POST', `api/jobs/${id}/tokens`, {}],
          ['DELETE', `api/jobs/${id}/tokens`],
          ['DELETE', `api/jobs/${id}`],
        ] as const) {
          const response = await who.request(method, path, body)
          answers.push(`${response.status} ${await response.text()}`)
        }
        return answers
      }
      for (const who of strangers) {
        const expected = await answersOf(who, nobodys)
        expect(expected.every((answer) => answer.startsWith('404 '))).toBe(true)
        // By its name here and in all tenants: only administrators of none have those.
        for (const id of [secret.id, `${acme}::${secret.id}`]) expect(await answersOf(who, id)).toEqual(expected)
      }
      expect(await ada.read(secret.id)).toEqual(secret)
    }, 60_000)

    test('tokens of a job are of its tenant: they read, report on and follow its job alone, and end without those of others', async () => {
      const { id, ada, eve, jobs } = await threeOf('shared')
      const [watch, theirs] = [await ada.share(id), await eve.share(id)]
      const { token } = await ada.share(id, { can: 'publish' })
      const guest = new ApiClient(subject.server.url, watch.token)
      expect((await guest.read(id)).epoch).toBe(jobs[0].epoch)
      await using stream = await subject.anyone.stream(`api/progress?token=${watch.token}`)
      expect((await stream.next())?.data).toMatchObject({ jobId: id, epoch: jobs[0].epoch })
      await using direct = await StreamReader.open(watch.url)
      expect((await direct.next())?.data.epoch).toBe(jobs[0].epoch)
      await new ApiClient(subject.server.url, token).publish(id, { type: 'progress', done: 7 })
      expect((await stream.next())?.data.done).toBe(7)
      expect([(await ada.read(id)).version, (await eve.read(id)).version]).toEqual([2, 1])
      const mixed = `api/progress?token=${watch.token}&token=${theirs.token}`
      expect(await subject.anyone.refusal('GET', mixed)).toEqual({ status: 422, fields: ['token'] })
      expect((await ada.request('DELETE', `api/jobs/${id}/tokens`)).status).toBe(204)
      expect((await guest.refusal('GET', `api/jobs/${id}`)).status).toBe(401)
      expect((await new ApiClient(subject.server.url, theirs.token).read(id)).epoch).toBe(jobs[1].epoch)
    })

    test("an administrator of a tenant has everything of it and nothing of others; one of none has everyone's", async () => {
      const { sub, id, acme, umbra, ada, eve, bob } = await threeOf('governed')
      const [chief, root] = [await client(acme, 'chief', ADMIN), await client(undefined, 'root', ADMIN)]
      const other = await (await client(acme, 'another')).create()
      expect((await chief.read(id)).title).toBe('Of 0')
      expect(await idsOf(chief, `?owner=${sub}`)).toEqual([id])
      const [full, theirs] = [`${acme}::${id}`, `${umbra}::${id}`]
      expect(await root.read(full)).toMatchObject({ id: full, owner: `${acme}::${sub}`, title: 'Of 0' })
      expect((await root.read(id)).title).toBe('Of 2')
      expect(await idsOf(root, `?owner=${acme}::${sub}`)).toEqual([full])
      if (subject.traits.knowsOwnersOnly)
        expect(await chief.refusal('GET', 'api/jobs?owner=*')).toEqual({ status: 422, fields: ['owner'] })
      else {
        expect((await idsOf(chief, '?owner=*')).sort()).toEqual([id, other.id].sort())
        expect(await idsOf(chief, '?owner=*&kind=test&status=pending')).toHaveLength(2)
        expect(await idsOf(await client(unique('empty'), 'chief', ADMIN), '?owner=*')).toEqual([])
        const everyone = await idsOf(root, '?owner=*&limit=100')
        for (const name of [full, theirs, id]) expect(everyone).toContain(name)
        await using stream = await chief.stream('api/progress?owner=*')
        await stream.take(2)
        await using all = await root.stream('api/progress?owner=*')
        await all.until(({ data }) => data.jobId === theirs)
        await eve.publish(id, { type: 'progress', done: 1 })
        await bob.publish(id, { type: 'progress', done: 2 })
        await ada.publish(id, { type: 'progress', done: 3 })
        const update = await stream.next()
        expect(update && headerIn(update)).toMatchObject({ id, owner: sub, progress: { done: 3 } })
        const seen = await all.until(
          (message) => headerIn(message).id === full && headerIn(message).progress.done === 3,
        )
        expect(seen.map(({ data }) => data.jobId)).toEqual(expect.arrayContaining([theirs, id]))
      }
      await root.publish(full, { type: 'status', status: 'running' })
      expect((await chief.operate(id, 'pause')).pauseRequested).toBe(true)
      expect((await root.operate(full, 'resume')).pauseRequested).toBe(false)
      const { token } = await root.share(full)
      expect((await new ApiClient(subject.server.url, token).read(full)).id).toBe(full)
      expect((await chief.refusal('GET', 'metrics')).status).toBe(403)
      expect(await root.refusal('POST', 'api/jobs', { kind: 'k', title: 't', owner: `${acme}::${sub}` })).toEqual({
        status: 422,
        fields: ['owner'],
      })
      expect((await chief.request('DELETE', `api/jobs/${id}`)).status).toBe(204)
      expect((await root.refusal('GET', `api/jobs/${full}`)).status).toBe(404)
      expect((await root.read(theirs)).title).toBe('Of 1')
    }, 60_000)

    test('links and sessions are of the tenant of who makes them, and its administrators alone list and end them', async () => {
      const { sub, id, acme, umbra, jobs } = await threeOf('signed-in')
      const [chief, root] = [await client(acme, 'chief', ADMIN), await client(undefined, 'root', ADMIN)]
      const stranger = await client(umbra, sub, ADMIN)
      const signIn = async (maker: ApiClient, body: object) => {
        const { url } = await maker.json<{ url: string }>(201, 'POST', 'api/sign-in-links', body)
        const answer = await subject.anyone.request('GET', url)
        return { cookie: cookieOf(answer), 'sec-fetch-site': 'same-origin' }
      }
      const byChief = await signIn(chief, { sub })
      const byRoot = await signIn(root, { sub, tenant: acme })
      const untenanted = await signIn(root, { sub })
      const epochs = await Promise.all(
        [byChief, byRoot, untenanted].map(async (browser) => {
          const job = await subject.anyone.json<Job>(200, 'GET', `api/jobs/${id}`, undefined, browser)
          return job.epoch
        }),
      )
      expect(epochs).toEqual([jobs[0].epoch, jobs[0].epoch, jobs[2].epoch])
      for (const body of [
        { sub, tenant: umbra },
        { sub: 'x', tenant: umbra, admin: true },
      ])
        expect(await chief.refusal('POST', 'api/sign-in-links', body)).toEqual({ status: 403, fields: ['tenant'] })
      for (const [body, fields] of [
        [{ sub: `${acme}::${sub}` }, ['sub']],
        [{ sub, tenant: 'a:b' }, ['tenant']],
        [{ sub, tenant: '' }, ['tenant']],
      ] as const)
        expect(await root.refusal('POST', 'api/sign-in-links', body)).toEqual({ status: 422, fields: [...fields] })

      const listed = async (who: ApiClient, of: string) =>
        (await who.json<SessionList>(200, 'GET', `api/sessions?sub=${of}`)).sessions
      const own = await listed(chief, sub)
      expect(own.map((session) => session.sub)).toEqual([sub, sub])
      expect(await listed(stranger, sub)).toEqual([])
      expect((await listed(root, `${acme}::${sub}`)).map((session) => session.sub)).toEqual([
        `${acme}::${sub}`,
        `${acme}::${sub}`,
      ])
      expect(await listed(root, sub)).toHaveLength(1)
      if (subject.traits.knowsOwnersOnly)
        expect(await chief.refusal('GET', 'api/sessions')).toEqual({ status: 422, fields: ['sub'] })
      else {
        const { sessions } = await chief.json<SessionList>(200, 'GET', 'api/sessions')
        expect(sessions.map((session) => session.id).sort()).toEqual(own.map((session) => session.id).sort())
        const all = (await root.json<SessionList>(200, 'GET', 'api/sessions')).sessions.map((session) => session.sub)
        expect(all).toContain(`${acme}::${sub}`)
      }
      const path = `api/sessions/${own[0]?.id}`
      for (const who of [stranger, await client(undefined, sub)])
        expect((await who.refusal('DELETE', path)).status).toBe(404)
      expect((await chief.request('DELETE', path)).status).toBe(204)
      expect(await listed(chief, sub)).toHaveLength(1)
      expect((await root.request('DELETE', `api/sessions/${own[1]?.id}`)).status).toBe(204)
      for (const browser of [byChief, byRoot])
        expect((await subject.anyone.request('GET', 'api/jobs', undefined, browser)).status).toBe(401)
      expect((await subject.anyone.request('GET', 'api/jobs', undefined, untenanted)).status).toBe(200)
    }, 60_000)

    test('the audit of a tenant has what its people did, by its names, and nothing of others', async () => {
      const { sub, id, acme, ada, eve } = await threeOf('audited')
      const [chief, root] = [await client(acme, 'chief', ADMIN), await client(undefined, 'root', ADMIN)]
      await ada.share(id)
      await eve.share(id)
      await ada.refusal('GET', 'api/jobs?owner=bob')
      const recordsOf = async (who: ApiClient, query: string) =>
        (await who.json<AuditList>(200, 'GET', `api/audit?${query}`)).records
      const expected = [
        { action: 'refused', sub, status: 403 },
        { action: 'token-created', sub, job: id },
      ]
      // What is recorded is stored after the answer.
      let records: AuditList['records'] = []
      while (records.length < 2) records = await recordsOf(chief, `sub=${sub}`)
      expect(records).toEqual(expected.map((record) => expect.objectContaining(record)))
      expect((await recordsOf(chief, 'limit=100')).map((record) => record.sub)).toEqual([sub, sub])
      const all = await recordsOf(root, `sub=${acme}::${sub}`)
      expect(all.map(({ action, job }) => [action, job])).toEqual([
        ['refused', undefined],
        ['token-created', `${acme}::${id}`],
      ])
      expect((await chief.refusal('GET', 'api/operator')).status).toBe(403)
      expect((await chief.refusal('GET', 'api/operator/progress')).status).toBe(403)
    })

    test('quotas are of one person of one tenant: live jobs, streams, and the ids of idempotency keys', async () => {
      const { url } = subject.strict
      const sub = unique('frugal')
      const [acme, umbra] = [unique('acme'), unique('umbra')]
      const [ada, eve, bob] = await Promise.all([acme, umbra, undefined].map((tenant) => at(url, tenant, sub)))
      const key = { 'idempotency-key': unique('key') }
      const ids: string[] = []
      for (const who of [ada, eve, bob]) {
        if (!who) throw new Error('Nobody')
        const job = { kind: 'test', title: 'Test' }
        ids.push((await who.json<Job>(201, 'POST', 'api/jobs', job, key)).id)
        await who.create()
        expect((await refusalOf(await who.request('POST', 'api/jobs', job))).status).toBe(429)
        const streams = await Promise.all([1, 2, 3].map(() => who.stream('api/progress')))
        expect((await who.refusal('GET', 'api/progress')).status).toBe(429)
        for (const stream of streams) await stream.take(1)
        await Promise.all(streams.map((stream) => stream.close()))
      }
      expect(new Set(ids).size).toBe(3)
    }, 60_000)

    test('DELETE /api/jobs removes the ended jobs of one person of one tenant', async () => {
      const { id, ada, eve, bob } = await threeOf('cleared')
      for (const who of [ada, eve, bob]) await who.operate(id, 'cancel')
      await using stream = await ada.stream('api/progress')
      await stream.take(1)
      expect((await ada.request('DELETE', 'api/jobs')).status).toBe(202)
      await stream.until(({ event, data }) => event === 'end' && data.reason === 'deleted')
      expect(await idsOf(ada)).toEqual([])
      for (const who of [eve, bob]) expect(await idsOf(who)).toEqual([id])
    })

    test('a token whose tenant is no name, or whose sub looks as if it had one, is refused without a reason', async () => {
      const good = await client('acme', 'ada')
      expect((await good.request('GET', 'api/jobs')).status).toBe(200)
      const expected = await (await new ApiClient(subject.server.url, 'x.y.z').request('GET', 'api/jobs')).text()
      for (const [sub, tenant] of [
        ['ada', ''],
        ['ada', 'a:b'],
        ['ada', 'x'.repeat(65)],
        ['ada', 7],
        ['ada', null],
        ['ada', ['acme']],
        ['acme::ada', undefined],
        ['acme::', undefined],
      ]) {
        const who = new ApiClient(subject.server.url, await accessToken(String(sub), ADMIN, { tenant }))
        const response = await who.request('GET', 'api/jobs')
        expect([tenant, response.status, await response.text()]).toEqual([tenant, 401, expected])
      }
      // In a tenant nobody can be taken for somebody of another.
      const odd = await client('acme', 'umbra::ada')
      const { id } = await odd.create()
      expect(await idsOf(odd)).toEqual([id])
      expect(await idsOf(await client('umbra', 'ada'), `?kind=${unique('none')}`)).toEqual([])
    })

    if (subject.traits.hasServices !== false) {
      test('a service that somebody of a tenant starts reports on their job', async () => {
        const tenant = unique('serving')
        const ada = await client(tenant, 'ada')
        const form = new FormData()
        form.set('sample', 'true')
        const started = await ada.json<JobHeader>(202, 'POST', 'api/services/analysis', form)
        expect(started).toMatchObject({ owner: 'ada', createdBy: 'ada' })
        await using stream = await ada.stream(`api/jobs/${started.id}/progress`)
        const messages = await stream.rest()
        expect(messages.at(-1)?.data.reason).toBe('completed')
        expect(await idsOf(ada)).toEqual([started.id])
      }, 60_000)
    }
  })
}
