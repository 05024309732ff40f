import { describe, expect, test } from 'bun:test'
import type { Job, Patch } from '../../../shared/document/job.ts'
import type { JobList } from '../../../shared/wire/api.ts'
import { type ApiClient, refusalOf, unique } from '../../support/api-client.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Jobs: created, read, listed, controlled, removed. */
export function describeJobs(subject: RuntimeSubject): void {
  const ok = { kind: 'k', title: 't' }

  describe('POST /api/jobs', () => {
    test('POST /api/jobs answers 201 with the whole job and where it is', async () => {
      const ada = await subject.client('ada')
      const id = unique('created')
      const before = Date.now()
      const response = await ada.request('POST', 'api/jobs', {
        id,
        kind: 'import',
        title: 'Contacts',
        parentId: 'a-parent',
        metadata: { source: 'crm', ключ: ['значение', null] },
        heartbeatSeconds: 30,
        timeoutSeconds: 0.5,
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('location')).toBe(`/api/jobs/${id}`)
      const job = (await response.json()) as Job
      const { createdAt, epoch } = job
      expect(job).toEqual({
        id,
        epoch: expect.stringMatching(/^[a-z0-9]+$/) as never,
        version: 1,
        kind: 'import',
        title: 'Contacts',
        owner: 'ada',
        createdBy: 'ada',
        status: 'pending',
        progress: { done: 0 },
        itemCounts: { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 },
        errorCount: 0,
        logCount: 0,
        cancelRequested: false,
        pauseRequested: false,
        parentId: 'a-parent',
        metadata: { source: 'crm', ключ: ['значение', null] },
        heartbeatSeconds: 30,
        timeoutSeconds: 0.5,
        createdAt,
        updatedAt: createdAt,
        lastEventAt: createdAt,
        steps: [],
        items: [],
        errors: [],
        logs: [],
      })
      expect(Math.abs(Date.parse(createdAt) - before)).toBeLessThan(60_000)
      expect(await ada.read(id)).toEqual(job)
      expect((await ada.create()).epoch).not.toBe(epoch)
    })

    test('POST /api/jobs makes an id that nobody can guess, and takes one that the caller chose', async () => {
      const ada = await subject.client('ada')
      const ids = await Promise.all([ada.create(), ada.create()])
      for (const { id } of ids) expect(id).toMatch(/^[0-9a-v]{26}$/)
      expect(ids[0]?.id).not.toBe(ids[1]?.id)
      for (const id of [unique('A.b_c~d-'), 'x'.repeat(128), '__proto__', 'constructor'])
        expect((await ada.create({ id })).id).toBe(id)
    })

    test('POST /api/jobs makes jobs for others with jobs:assign alone, and else names the owner', async () => {
      const ada = await subject.client('ada')
      expect((await ada.create({ owner: 'ada' })).owner).toBe('ada')
      const refused = { status: 403, fields: ['owner'] }
      expect(await ada.refusal('POST', 'api/jobs', { ...ok, owner: 'bob' })).toEqual(refused)
      const assigner = await subject.client('assigner', 'jobs:assign')
      expect(await assigner.refusal('POST', 'api/jobs', ok)).toEqual({ status: 403, fields: [] })
      const creator = await subject.client('creator', 'jobs:write jobs:assign')
      const { id, owner, createdBy } = await creator.create({ owner: 'somebody else' })
      expect([owner, createdBy]).toEqual(['somebody else', 'creator'])
      expect((await (await subject.client('somebody else')).read(id)).id).toBe(id)
    })

    test('POST /api/jobs with the same id and body is the same job, as it is by now', async () => {
      const ada = await subject.client('ada')
      const id = unique('repeated')
      const made = await ada.create({ id, metadata: { a: 1, b: { c: [2], d: null } } })
      await ada.publish(id, { type: 'item', id: 'i', status: 'running' })
      // The keys in another order: JSON gives it no meaning.
      const body = { title: 'Test', metadata: { b: { d: null, c: [2] }, a: 1 }, kind: 'test', id }
      const response = await ada.request('POST', 'api/jobs', body)
      expect([response.status, response.headers.get('location')]).toEqual([200, `/api/jobs/${id}`])
      expect(await response.json()).toMatchObject({ epoch: made.epoch, version: 2, items: [{ id: 'i' }] })
    })

    test('POST /api/jobs with a taken id is 409 without the job', async () => {
      const ada = await subject.client('ada')
      const id = unique('taken')
      await ada.create({ id, title: 'A secret title' })
      const eve = await subject.client('eve', 'jobs:write jobs:assign')
      for (const [who, body] of [
        [ada, { ...ok, id }],
        [eve, { kind: 'test', title: 'A secret title', id }],
        [eve, { kind: 'test', title: 'A secret title', id, owner: 'ada' }],
      ] as const) {
        const response = await who.request('POST', 'api/jobs', body)
        expect(await response.clone().text()).not.toContain('secret')
        expect(await refusalOf(response)).toEqual({ status: 409, fields: ['id'] })
      }
    })

    test('POST /api/jobs with the id of another is the same 409, whatever the job is: it tells that the name is taken', async () => {
      const ada = await subject.client('ada', 'jobs:read jobs:write jobs:assign')
      const [fresh, ended, eves] = await Promise.all([
        ada.create({ id: unique('theirs') }),
        ada.create({ id: unique('theirs'), metadata: { a: 1 } }),
        ada.create({ id: unique('theirs'), owner: 'eve' }),
      ])
      await ada.publish(ended.id, { type: 'status', status: 'completed', result: 'secret' })
      const eve = await subject.client('eve')
      const answers = await Promise.all(
        [fresh, ended, eves].map(async ({ id }) => {
          const response = await eve.request('POST', 'api/jobs', { ...ok, id })
          // What differs between any two answers.
          const headers = [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
          return JSON.stringify([response.status, headers, await response.text()])
        }),
      )
      expect(new Set(answers).size).toBe(1)
      expect(answers[0]).toStartWith('[409,')
      expect(answers[0]).not.toContain('location')
    })

    test('POST /api/jobs with an Idempotency-Key and no id makes one job, however often it is sent', async () => {
      const ada = await subject.client('ada')
      const key = { 'idempotency-key': unique('key') }
      const send = async (who = ada, headers: Record<string, string> = key, body: object = ok) => {
        const response = await who.request('POST', 'api/jobs', body, headers)
        return { status: response.status, id: ((await response.json()) as Job).id }
      }
      const answers = await Promise.all(Array.from({ length: 8 }, () => send()))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 201])
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
      const [first] = answers
      expect((await send(ada, { 'idempotency-key': unique('key') })).id).not.toBe(first?.id)
      expect(await send(await subject.client('eve'))).toEqual({
        status: 201,
        id: expect.not.stringMatching(first?.id ?? '') as never,
      })
      expect(await ada.refusal('POST', 'api/jobs', { ...ok, title: 'other' }, key)).toEqual({
        status: 409,
        fields: ['Idempotency-Key'],
      })
    })

    test('POST /api/jobs names what is wrong', async () => {
      const ada = await subject.client('ada')
      const title = 'x'.repeat(513)
      const cases: [body: unknown, status: number, fields: string[]][] = [
        [{}, 422, ['kind', 'title']],
        [{ kind: 'k' }, 422, ['title']],
        [{ ...ok, title: '' }, 422, ['title']],
        [{ ...ok, title: ' \n' }, 422, ['title']],
        [{ ...ok, title }, 422, ['title']],
        [{ ...ok, kind: 7 }, 422, ['kind']],
        [{ ...ok, id: 'a/b' }, 422, ['id']],
        [{ ...ok, id: '' }, 422, ['id']],
        [{ ...ok, id: '..' }, 422, ['id']],
        [{ ...ok, id: 'x'.repeat(129) }, 422, ['id']],
        [{ ...ok, id: 'a\n' }, 422, ['id']],
        [{ ...ok, parentId: 'a b' }, 422, ['parentId']],
        [{ ...ok, retryOf: 'not-there' }, 422, ['retryOf']],
        [{ ...ok, owner: '' }, 422, ['owner']],
        [{ ...ok, metadata: [] }, 422, ['metadata']],
        [{ ...ok, metadata: 'x' }, 422, ['metadata']],
        [{ ...ok, heartbeatSeconds: 0 }, 422, ['heartbeatSeconds']],
        [{ ...ok, timeoutSeconds: -1 }, 422, ['timeoutSeconds']],
        [{ ...ok, timeoutSeconds: 1e12 }, 422, ['timeoutSeconds']],
        [{ ...ok, status: 'running', epoch: 'mine' }, 422, ['status', 'epoch']],
        [[], 422, ['body']],
        [null, 422, ['body']],
        ['{', 400, ['body']],
        ['', 400, ['body']],
      ]
      for (const [body, status, fields] of cases)
        expect([body, await ada.refusal('POST', 'api/jobs', body)]).toEqual([body, { status, fields }])
      const xml = { 'content-type': 'text/xml' }
      expect(await ada.refusal('POST', 'api/jobs', '<job/>', xml)).toEqual({ status: 415, fields: ['Content-Type'] })
      const key = { 'idempotency-key': 'a b' }
      expect(await ada.refusal('POST', 'api/jobs', ok, key)).toEqual({ status: 422, fields: ['Idempotency-Key'] })
    })
  })

  describe('GET /api/jobs/:id/retries', () => {
    test('GET /api/jobs/:id/retries finds the jobs that were created with retryOf, for those who may see them', async () => {
      const ada = await subject.client('ada')
      const bob = await subject.client('bob')
      const { id } = await ada.create()
      const retry = (fields: object, by = ada) => by.refusal('POST', 'api/jobs', { ...ok, retryOf: id, ...fields })
      const refused = { status: 422, fields: ['retryOf'] }
      // It has not ended; it is not his, and might as well not be there.
      expect([await retry({}), await retry({}, bob)]).toEqual([refused, refused])
      await ada.publish(id, { type: 'status', status: 'failed' })
      const first = await ada.create({ retryOf: id })
      const second = await ada.create({ retryOf: id, id: unique('again') })
      expect(second.retryOf).toBe(id)
      const theirs = { ...ok, retryOf: id, owner: 'bob' }
      expect(await (await subject.client('ada', 'jobs:admin')).refusal('POST', 'api/jobs', theirs)).toEqual(refused)
      const { jobs } = await ada.json<JobList>(200, 'GET', `api/jobs/${id}/retries`)
      expect(jobs.map((job) => job.id).sort()).toEqual([first.id, second.id].sort())
      expect(await ada.json<JobList>(200, 'GET', `api/jobs/${first.id}/retries`)).toEqual({ jobs: [] })
      expect((await bob.request('GET', `api/jobs/${id}/retries`)).status).toBe(404)
      const { token } = await ada.share(id)
      const path = `api/jobs/${id}/retries?token=${token}`
      const watcher = await fetch(ada.at(path), { headers: { authorization: `Bearer ${token}` } })
      expect((await watcher.json()) as JobList).toEqual({ jobs: [] })
      // The same request finds the same job, also when the old one is gone.
      await ada.request('DELETE', `api/jobs/${id}`)
      const { kind, title } = second
      expect(await ada.json<Job>(200, 'POST', 'api/jobs', { id: second.id, kind, title, retryOf: id })).toEqual(second)
      expect(await retry({})).toEqual(refused)
    })
  })

  describe('GET /api/jobs', () => {
    test('GET /api/jobs lists the principal’s own, newest first, headers alone, in pages', async () => {
      const owner = unique('lister')
      const ada = await subject.client(owner)
      const made: string[] = []
      for (let n = 0; n < 5; n++) made.unshift((await ada.create({ metadata: { n } })).id)
      await (await subject.client('other')).create()
      const all = await ada.json<JobList>(200, 'GET', 'api/jobs')
      expect(all.jobs.map(({ id }) => id)).toEqual(made)
      expect(all).not.toHaveProperty('nextCursor')
      expect(all.jobs[0]).not.toHaveProperty('items')
      expect(all.jobs[0]?.metadata).toEqual({ n: 4 })
      const paged: string[] = []
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const path: string = `api/jobs?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
        const page: JobList = await ada.json<JobList>(200, 'GET', path)
        expect(page.jobs.length).toBeLessThanOrEqual(2)
        paged.push(...page.jobs.map(({ id }) => id))
        cursor = page.nextCursor
      }
      expect(paged).toEqual(made)
    })

    test('GET /api/jobs gives cursors that are of one principal, and count nobody’s jobs', async () => {
      const [ada, eve] = [await subject.client(unique('owner')), await subject.client(unique('owner'))]
      const cursorOf = async (who: ApiClient) =>
        (await who.json<JobList>(200, 'GET', 'api/jobs?limit=1')).nextCursor ?? ''
      for (const who of [ada, ada, eve, eve]) await who.create()
      const [adas, eves] = [await cursorOf(ada), await cursorOf(eve)]
      for (const cursor of [adas, eves])
        expect([cursor, cursor.length]).toEqual([expect.stringMatching(/^[\w-]+$/), adas.length])
      expect((await ada.json<JobList>(200, 'GET', `api/jobs?cursor=${adas}`)).jobs).toHaveLength(1)
      const root = await subject.client('root', 'jobs:admin')
      for (const [who, cursor] of [
        [ada, eves],
        [eve, adas],
        [root, adas],
      ] as const)
        expect(await who.refusal('GET', `api/jobs?cursor=${cursor}`)).toEqual({ status: 422, fields: ['cursor'] })
    })

    test('GET /api/jobs ends a page at about 1 MiB, and goes on from there', async () => {
      const ada = await subject.client(unique('owner'))
      const made: string[] = []
      for (let n = 0; n < 20; n++) {
        const { id } = await ada.create({ metadata: { m: 'm'.repeat(16_000) } })
        await ada.publish(id, { type: 'status', status: 'completed', result: 'r'.repeat(60_000) })
        made.unshift(id)
      }
      const listed: string[] = []
      const sizes: number[] = []
      for (let next = ''; sizes.length === 0 || next !== ''; ) {
        const response = await ada.request('GET', `api/jobs?limit=100${next}`)
        const text = await response.text()
        const { jobs, nextCursor }: JobList = JSON.parse(text)
        listed.push(...jobs.map(({ id }) => id))
        sizes.push(text.length)
        next = nextCursor === undefined ? '' : `&cursor=${nextCursor}`
      }
      expect(listed).toEqual(made)
      expect(sizes).toHaveLength(2)
      for (const size of sizes) expect(size).toBeLessThan(1024 * 1024)
      await using stream = await ada.stream('api/progress')
      const shown = await stream.take(40)
      expect(shown.filter(({ event }) => event === 'snapshot').map(({ data }) => data.jobId)).toEqual(made)
    }, 180_000)

    test('GET /api/jobs?owner= lists the jobs of anyone by name, and of everyone, for jobs:admin alone', async () => {
      const [owner, kind] = [unique('owner'), unique('kind')]
      const { id } = await (await subject.client(owner)).create({ kind })
      const other = await (await subject.client(unique('owner'))).create({ kind })
      const root = await subject.client('root', 'jobs:admin')
      const list = async (query: string) =>
        (await root.json<JobList>(200, 'GET', `api/jobs?kind=${kind}${query}`)).jobs.map((job) => job.id)
      expect([await list(''), await list(`&owner=${owner}`)]).toEqual([[], [id]])
      if (subject.traits.knowsOwnersOnly) {
        expect(await root.refusal('GET', 'api/jobs?owner=*')).toEqual({ status: 422, fields: ['owner'] })
      } else expect(await list('&owner=*')).toEqual([other.id, id])
      const ada = await subject.client(owner)
      for (const query of ['owner=*', `owner=${owner}`]) {
        expect(await ada.refusal('GET', `api/jobs?${query}`)).toEqual({ status: 403, fields: ['owner'] })
      }
      expect(await root.refusal('GET', 'api/jobs?owner=')).toEqual({ status: 422, fields: ['owner'] })
    })

    test('GET /api/jobs lists what is the principal’s, not what it made for others', async () => {
      const [owner, creator] = [unique('owner'), unique('creator')]
      const { id } = await (await subject.client(creator, 'jobs:write jobs:assign')).create({ owner })
      const listOf = async (sub: string) =>
        (await (await subject.client(sub)).json<JobList>(200, 'GET', 'api/jobs')).jobs.map((job) => job.id)
      expect(await listOf(owner)).toEqual([id])
      expect(await listOf(creator)).toEqual([])
    })

    test('GET /api/jobs filters by status, kind and parent, alone and together', async () => {
      const ada = await subject.client(unique('filterer'))
      const [a, b, c] = [
        await ada.create({ kind: 'a' }),
        await ada.create({ kind: 'b', parentId: 'p' }),
        await ada.create({ kind: 'a', parentId: 'p' }),
      ]
      await ada.publish(c.id, { type: 'status', status: 'running' })
      const ids = async (query: string) =>
        (await ada.json<JobList>(200, 'GET', `api/jobs?${query}`)).jobs.map(({ id }) => id)
      expect(await ids('kind=a')).toEqual([c.id, a.id])
      expect(await ids('parent=p')).toEqual([c.id, b.id])
      expect(await ids('status=pending')).toEqual([b.id, a.id])
      expect(await ids('status=running&kind=a&parent=p')).toEqual([c.id])
      expect(await ids('status=failed')).toEqual([])
    })

    test('GET /api/jobs finds the words of q in titles, kinds, owners and ids, in pages', async () => {
      const owner = unique('searcher')
      const ada = await subject.client(owner)
      const [a, b, c] = [
        await ada.create({ kind: 'import', title: 'Customers of März' }),
        await ada.create({ kind: 'export', title: 'Suppliers' }),
        await ada.create({ kind: 'import', title: 'More customers' }),
      ]
      const page = (query: string) => ada.json<JobList>(200, 'GET', `api/jobs?${query}`)
      const ids = async (query: string) => (await page(query)).jobs.map(({ id }) => id)
      expect(await ids('q=CUSTOMERS')).toEqual([c.id, a.id])
      expect(await ids(`q=${encodeURIComponent('märz  import')}`)).toEqual([a.id])
      expect(await ids(`q=${b.id}`)).toEqual([b.id])
      expect(await ids(`q=${owner}&kind=import`)).toEqual([c.id, a.id])
      expect(await page('q=nothing')).toEqual({ jobs: [] })
      const first = await page('q=customers&limit=1')
      expect(first.jobs.map(({ id }) => id)).toEqual([c.id])
      expect(await ids(`q=customers&limit=1&cursor=${first.nextCursor}`)).toEqual([a.id])
    })

    test('GET /api/jobs names what is wrong', async () => {
      const ada = await subject.client('ada')
      for (const [query, field] of [
        ['status=done', 'status'],
        ['limit=0', 'limit'],
        ['limit=101', 'limit'],
        ['limit=x', 'limit'],
        ['limit=1.5', 'limit'],
        ['kind=', 'kind'],
        [`q=${'x'.repeat(201)}`, 'q'],
        ['parent=a%2Fb', 'parent'],
        ['cursor=%00%27--', 'cursor'],
        ['cursor=12', 'cursor'],
        [`cursor=${'A'.repeat(80)}`, 'cursor'],
        ['cursor=', 'cursor'],
        ['kind=a&kind=b', 'kind'],
        ['sub=eve', 'sub'],
        ['__proto__=1', '__proto__'],
      ])
        expect([query, await ada.refusal('GET', `api/jobs?${query}`)]).toEqual([
          query,
          { status: 422, fields: [field ?? ''] },
        ])
    })
  })

  describe('GET /api/jobs/:id', () => {
    test('GET /api/jobs/:id has a weak ETag, and answers 304 as long as nothing has changed', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      const get = (tag: string) => ada.request('GET', `api/jobs/${id}`, undefined, { 'if-none-match': tag })
      const first = await ada.request('GET', `api/jobs/${id}`)
      expect(first.headers.get('etag')).toBe(`W/"${epoch}-1"`)
      expect(first.headers.get('cache-control')).toBe('private, no-cache')
      for (const tag of [`W/"${epoch}-1"`, `"${epoch}-1"`, `"x", W/"${epoch}-1"`, '*']) {
        const unchanged = await get(tag)
        expect([tag, unchanged.status, await unchanged.text()]).toEqual([tag, 304, ''])
        expect(unchanged.headers.get('etag')).toBe(`W/"${epoch}-1"`)
        expect(unchanged.headers.get('retry-after')).toBe('2')
      }
      await ada.publish(id, { type: 'progress', done: 1 })
      const changed = await get(`W/"${epoch}-1"`)
      expect([changed.status, changed.headers.get('etag')]).toEqual([200, `W/"${epoch}-2"`])
      await changed.body?.cancel()
    })

    test('GET /api/jobs/:id says when to ask again while the job lives, and not after', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const retryAfter = async () => {
        const response = await ada.request('GET', `api/jobs/${id}`)
        await response.body?.cancel()
        return response.headers.get('retry-after')
      }
      expect(await retryAfter()).toBe('2')
      await ada.publish(id, { type: 'status', status: 'completed' })
      expect(await retryAfter()).toBeNull()
    })

    test('GET /api/jobs/:id?since= answers what changed, and the document for a cursor that is of no use', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await ada.publish(id, { type: 'item', id: 'a', status: 'running' }, { type: 'log', message: 'L' })
      const since = (cursor: string) => ada.json<Patch & Job>(200, 'GET', `api/jobs/${id}?since=${cursor}`)
      const patch = await since(`${epoch}-2`)
      expect([patch.from, patch.to, patch.job.version]).toEqual([2, 3, 3])
      expect(patch.logs?.map(({ message }) => message)).toEqual(['L'])
      expect(patch).not.toHaveProperty('items')
      const nothing = await since(`${epoch}-3`)
      expect([nothing.from, nothing.to]).toEqual([3, 3])
      for (const cursor of [
        `${epoch}-4`,
        `${epoch}-0`,
        'other-2',
        'e-1e3',
        `${epoch}-02`,
        `${epoch}`,
        '-',
        '',
        '%00',
      ]) {
        const document = await since(cursor)
        expect([cursor, document.version, document.items.length]).toEqual([cursor, 3, 1])
      }
    })

    test('GET /api/jobs/:id?parts=header leaves the rows out, and HEAD the body', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create({ metadata: { a: 1 } })
      await ada.publish(id, { type: 'item', id: 'a', status: 'running' })
      const header = await ada.json<Job>(200, 'GET', `api/jobs/${id}?parts=header`)
      expect([header.version, header.metadata]).toEqual([2, { a: 1 }])
      for (const rows of ['items', 'steps', 'errors', 'logs']) expect(header).not.toHaveProperty(rows)
      expect(await ada.json<Job>(200, 'GET', `api/jobs/${id}?parts=all`)).toEqual(await ada.read(id))
      expect(await ada.refusal('GET', `api/jobs/${id}?parts=items`)).toEqual({ status: 422, fields: ['parts'] })
      const head = await ada.request('HEAD', `api/jobs/${id}`)
      expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, `W/"${epoch}-2"`, ''])
    })
  })

  describe('control and removal', () => {
    test('POST …/cancel, …/pause and …/resume write down what the owner asks, and the header comes back', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await ada.publish(id, { type: 'status', status: 'running' })
      const asked = async (operation: 'cancel' | 'pause' | 'resume') => {
        const { version, status, pauseRequested, cancelRequested, ...rest } = await ada.operate(id, operation)
        expect(rest).not.toHaveProperty('items')
        return [version, status, pauseRequested, cancelRequested]
      }
      expect(await asked('pause')).toEqual([3, 'running', true, false])
      expect(await asked('resume')).toEqual([4, 'running', false, false])
      expect(await asked('cancel')).toEqual([5, 'running', false, true])
      const receipt = await ada.publish(id, { type: 'status', status: 'cancelled' })
      expect([receipt.version, receipt.cancelRequested]).toEqual([6, true])
      for (const operation of ['cancel', 'pause', 'resume'])
        expect((await ada.refusal('POST', `api/jobs/${id}/${operation}`)).status).toBe(409)
    })

    test('POST …/cancel ends a pending job at once', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const { version, status, cancelRequested } = await ada.operate(id, 'cancel')
      expect([version, status, cancelRequested]).toEqual([3, 'cancelled', true])
    })

    test('DELETE /api/jobs removes the ended jobs of one who asks, and no others', async () => {
      const owner = unique('tidy')
      const ada = await subject.client(owner)
      const live = await ada.create()
      const failed = await ada.create()
      await ada.publish(failed.id, { type: 'status', status: 'failed' })
      const completed = await ada.create()
      await ada.publish(completed.id, { type: 'status', status: 'completed' })
      const response = await ada.request('DELETE', 'api/jobs?status=completed')
      expect([response.status, await response.text()]).toEqual([202, ''])
      const left = async () => {
        const { jobs } = await ada.json<JobList>(200, 'GET', 'api/jobs')
        return jobs.map(({ id }) => id)
      }
      while ((await left()).length > 2) await Bun.sleep(10)
      expect(await left()).toEqual([failed.id, live.id])
      expect((await ada.request('DELETE', 'api/jobs')).status).toBe(202)
      while ((await left()).length > 1) await Bun.sleep(10)
      expect(await left()).toEqual([live.id])
    })

    test('DELETE /api/jobs names the field that is wrong', async () => {
      const ada = await subject.client('ada')
      const cases = { 'status=running': 'status', 'endedBefore=yesterday': 'endedBefore', 'kind=sync': 'kind' }
      for (const [query, field] of Object.entries(cases))
        expect(await ada.refusal('DELETE', `api/jobs?${query}`)).toEqual({ status: 422, fields: [field] })
      expect((await ada.refusal('DELETE', 'api/jobs?owner=eve')).status).toBe(403)
    })

    test('DELETE /api/jobs/:id answers 204 once, and the id can be taken again by anyone', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create({ id: unique('removed') })
      const response = await ada.request('DELETE', `api/jobs/${id}`)
      expect([response.status, await response.text()]).toEqual([204, ''])
      expect((await ada.refusal('DELETE', `api/jobs/${id}`)).status).toBe(404)
      expect((await ada.refusal('GET', `api/jobs/${id}`)).status).toBe(404)
      const eve = await subject.client('eve')
      const again = await eve.create({ id })
      expect([again.version, again.epoch === epoch]).toEqual([1, false])
      expect((await ada.refusal('GET', `api/jobs/${id}`)).status).toBe(404)
    })
  })
}
