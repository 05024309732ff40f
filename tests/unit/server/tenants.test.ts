import { describe, expect, test } from 'bun:test'
import type { AppOptions } from '../../../server/app.ts'
import type { RequestRecord } from '../../../server/http/request/request-log.ts'
import { emitProgress, setJobEvents } from '../../../server/jobs/emitter.ts'
import type { Job } from '../../../shared/document/job.ts'
import type { JobList, Receipt } from '../../../shared/wire/api.ts'
import { TestApp } from '../../support/test-app.ts'
import { SECRET, virtualToken } from '../../support/tokens.ts'
import { settle } from '../../virtual-clock.ts'

const ADMIN = 'jobs:admin jobs:read jobs:write'
const assets = { 'dashboard.js': 'js', 'dashboard.css': 'css', 'widget.js': 'widget' } as never

/** Somebody of a tenant, or of none, who calls an app. */
async function person({ app }: TestApp, tenant: string | undefined, sub = 'ada', scope?: string) {
  const authorization = `Bearer ${await virtualToken(sub, scope, { tenant })}`
  return async (method: string, path: string, body?: unknown): Promise<Response> => {
    const headers: Record<string, string> = { authorization }
    if (body !== undefined) headers['content-type'] = 'application/json'
    return app.request(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  }
}

const twoOf = (test: TestApp) => Promise.all([person(test, 'acme'), person(test, 'umbra')])
const job = { id: 'j', kind: 'test', title: 'Test' }
const json = async <T>(response: Response | Promise<Response>) => (await (await response).json()) as T

describe('tenants', () => {
  test('tenants have rates of their own for people of the same name', async () => {
    const test = new TestApp({ limits: { requestsPerSecond: 0.1, publishesPerSecond: 0.5 } })
    const [ada, eve] = await twoOf(test)
    for (const who of [ada, eve]) {
      expect((await who('POST', '/api/jobs', job)).status).toBe(201)
      expect((await who('GET', '/api/jobs/j')).status).toBe(429)
      const events = '/api/jobs/j/events'
      expect((await who('POST', events, { type: 'progress', done: 1 })).status).toBe(200)
      expect((await who('POST', events, { type: 'progress', done: 2 })).status).toBe(429)
    }
  })

  test('the cursor of a list is of one person of one tenant, however long their names are', async () => {
    const test = new TestApp()
    const long = 't'.repeat(64)
    const [ada, eve, admin] = [
      await person(test, long),
      await person(test, 'umbra'),
      await person(test, long, 'chief', ADMIN),
    ]
    for (const who of [ada, eve])
      for (const id of ['a', 'b', 'c']) await who('POST', '/api/jobs', { ...job, id: id.repeat(128) })
    for (const [who, query] of [
      [ada, ''],
      [admin, '&owner=*'],
    ] as const) {
      const seen: string[] = []
      let cursor = ''
      for (let page = 0; page < 3; page += 1) {
        const { jobs, nextCursor = '' } = await json<JobList>(who('GET', `/api/jobs?limit=1${query}${cursor}`))
        seen.push(...jobs.map(({ id }) => id[0] ?? ''))
        if (nextCursor !== '') expect((await eve('GET', `/api/jobs?cursor=${nextCursor}`)).status).toBe(422)
        cursor = `&cursor=${nextCursor}`
      }
      expect(seen).toEqual(['c', 'b', 'a'])
    }
  })

  test('tenants share no channel of the hub, and the streams of one tenant do', async () => {
    const test = new TestApp()
    const [ada, eve] = await twoOf(test)
    const root = await person(test, undefined, 'root', ADMIN)
    for (const who of [ada, eve]) await who('POST', '/api/jobs', job)
    const paths = ['/api/jobs/j/progress', '/api/progress'] as const
    const open: Response[] = []
    for (const who of [ada, ada, ada, eve]) for (const path of paths) open.push(await who('GET', path))
    expect(test.app.hub.open).toEqual({ streams: 8, channels: 4 })
    open.push(await root('GET', '/api/jobs/acme::j/progress'))
    expect(test.app.hub.open).toEqual({ streams: 9, channels: 5 })
    for (const { body } of open) await body?.cancel()
    expect(test.app.hub.open).toEqual({ streams: 0, channels: 0 })
  })

  test('a producer is told that its job is watched, whoever watches it by which name', async () => {
    const test = new TestApp()
    const [ada, eve] = await twoOf(test)
    const [chief, root] = [await person(test, 'acme', 'chief', ADMIN), await person(test, undefined, 'root', ADMIN)]
    for (const who of [ada, eve]) {
      await who('POST', '/api/jobs', { ...job, id: 'p' })
      await who('POST', '/api/jobs', { ...job, parentId: 'p' })
    }
    const isWatched = async (who: typeof ada, id = 'j') =>
      (await json<Receipt>(who('POST', `/api/jobs/${id}/events`, { type: 'log', message: 'L' }))).watched
    const cases = [
      [ada, '/api/jobs/j/progress'],
      [ada, '/api/jobs/j/progress?parts=header'],
      [ada, '/api/progress'],
      [ada, '/api/progress?parent=p'],
      [chief, '/api/progress?owner=*'],
      [chief, '/api/progress?owner=*&parent=p'],
      [root, '/api/jobs/acme::j/progress'],
      [root, '/api/progress?owner=*'],
      [root, '/api/progress?owner=acme::ada'],
      [root, '/api/progress?owner=*&parent=acme::p'],
    ] as const
    for (const [watcher, path] of cases) {
      expect([await isWatched(ada), await isWatched(root, 'acme::j')]).toEqual([false, false])
      const stream = await watcher('GET', path)
      expect([path, stream.status]).toEqual([path, 200])
      expect([path, await isWatched(ada), await isWatched(root, 'acme::j')]).toEqual([path, true, true])
      expect([path, await isWatched(eve)]).toEqual([path, path === '/api/progress?owner=*' && watcher === root])
      await stream.body?.cancel()
    }
  })

  test('authenticate gives a tenant, and one that is no name is a 503 with the reason for the operator alone', async () => {
    let principal: object = {}
    const authenticate = () => ({ sub: 'ada', scopes: ['jobs:read', 'jobs:write'] as const, ...principal })
    const test = new TestApp({ auth: { secret: SECRET, authenticate } })
    const post = () =>
      test.app.request('/api/jobs', {
        method: 'POST',
        body: JSON.stringify(job),
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      })
    for (const tenant of [undefined, 'acme', 'umbra']) {
      principal = { tenant }
      expect((await post()).status).toBe(201)
      expect((await test.engine.read(tenant === undefined ? 'j' : `${tenant}::j`))?.header.title).toBe('Test')
    }
    for (const wrong of [{ tenant: '' }, { tenant: 'a:b' }, { tenant: null }, { tenant: 7 }, { sub: 'acme::ada' }]) {
      principal = wrong
      const answer = await post()
      expect([answer.status, await answer.text()]).toEqual([503, expect.not.stringContaining('tenant')])
    }
    expect(test.errors.map(String)).toEqual([
      ...Array(4).fill(
        'TypeError: authenticate returned a principal that is not valid: its tenant is not 1 to 64 characters of A–Z a–z 0–9 . _ ~ -',
      ),
      'TypeError: authenticate returned a principal that is not valid: it has no tenant, and a sub that begins as if it had one',
    ])
  })

  test('app.jobs creates a job in a tenant, and the emit helpers report on it by its name among all', async () => {
    const test = new TestApp()
    const ada = await person(test, 'acme')
    const created = await test.app.jobs.create({ tenant: 'acme', owner: 'ada', kind: 'test', title: 'Test' }, 'key')
    expect(created).toMatchObject({ owner: 'acme::ada', createdBy: 'acme::ada' })
    const again = await test.app.jobs.create({ tenant: 'acme', owner: 'ada', kind: 'test', title: 'Test' }, 'key')
    const elsewhere = await test.app.jobs.create({ tenant: 'umbra', owner: 'ada', kind: 'test', title: 'Test' }, 'key')
    expect(again.id).toBe(created.id)
    const id = created.id.slice('acme::'.length)
    expect(elsewhere.id).not.toContain(id)
    setJobEvents(test.app.jobs)
    emitProgress(created.id, { done: 3 })
    await test.app.jobs.flush(created.id)
    setJobEvents(undefined)
    expect(await json<Job>(ada('GET', `/api/jobs/${id}`))).toMatchObject({ id, owner: 'ada', progress: { done: 3 } })
    for (const wrong of [{ tenant: 'a:b', owner: 'ada' }, { owner: 'acme::ada' }])
      await expect(test.app.jobs.create({ kind: 'test', title: 'Test', ...wrong })).rejects.toThrow(
        /^(owner|tenant): it/,
      )
  })

  test('a job that runs in this process is cancelled by people of its tenant', async () => {
    const test = new TestApp()
    const ada = await person(test, 'acme')
    const { id } = await test.app.jobs.create({ ...job, tenant: 'acme', owner: 'ada' })
    const run = test.app.jobs.run(
      id,
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
    )
    await settle()
    expect((await ada('POST', '/api/jobs/j/cancel')).status).toBe(202)
    await run
    expect((await json<Job>(ada('GET', '/api/jobs/j'))).status).toBe('cancelled')
  })

  test('a tenant is in the log of requests, and why a token has none is told to the operator alone', async () => {
    const records: RequestRecord[] = []
    const test = new TestApp({ onRequest: (record) => records.push(record) })
    await (await person(test, 'acme'))('GET', '/api/jobs')
    await (await person(test, undefined))('GET', '/api/jobs')
    expect(records.map(({ sub, tenant }) => [sub, tenant])).toEqual([
      ['ada', 'acme'],
      ['ada', undefined],
    ])
    const refused = await (await person(test, 'a:b'))('GET', '/api/jobs')
    expect(await refused.text()).not.toContain('tenant')
    await (await person(test, undefined, 'acme::ada'))('GET', '/api/jobs')
    expect(test.errors).toEqual([
      'MILEPOST_TENANT_CLAIM: an access token was refused: its tenant is not 1 to 64 characters of A–Z a–z 0–9 . _ ~ -',
    ])
    await test.clock.advance(60_000)
    await (await person(test, undefined, 'acme::ada'))('GET', '/api/jobs')
    expect(test.errors[1]).toBe(
      'MILEPOST_TENANT_CLAIM: an access token was refused: it has no tenant, and a sub that begins as if it had one',
    )
  })

  test('the claim that names the tenant is a setting', async () => {
    const options: Partial<AppOptions> = { auth: { secret: SECRET, tenantClaim: 'org' } }
    const test = new TestApp(options)
    const authorization = `Bearer ${await virtualToken('ada', undefined, { org: 'acme', tenant: 'umbra' })}`
    const headers = { authorization, 'content-type': 'application/json' }
    const made = await test.app.request('/api/jobs', { method: 'POST', body: JSON.stringify(job), headers })
    expect(made.status).toBe(201)
    expect((await test.engine.read('acme::j'))?.header.owner).toBe('acme::ada')
  })

  test('the dashboard offers an administrator of a tenant the jobs of everyone, who are those of the tenant', async () => {
    const test = new TestApp({ assets })
    for (const [scope, sees] of [
      [ADMIN, true],
      [undefined, false],
    ] as const) {
      const page = await (await person(test, 'acme', 'chief', scope))('GET', '/')
      expect(await page.text()).toContain(`data-sees-everyone="${sees}"`)
    }
  })
})
