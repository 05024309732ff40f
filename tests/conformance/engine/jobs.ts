import { describe, expect, test } from 'bun:test'
import type { Engine, ListQuery, Page } from '../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import type { JobHeader } from '../../../shared/document/job.ts'
import { instantOf } from '../../arbitraries.ts'
import {
  batchOf,
  changes,
  created,
  documentOf,
  newJob,
  publish,
  refusal,
  type Subject,
  taken,
  unique,
} from '../fixtures.ts'

/** How jobs come to be, are found, and go. */
export function describeJobs(subject: Subject): void {
  describe('create', () => {
    test('create stores the job, complete', async () => {
      const { engine } = subject
      const job = newJob({ metadata: { source: 'crm' }, parentId: 'p', heartbeatSeconds: 30, timeoutSeconds: 60.5 })
      expect(await engine.create(job)).toMatchObject({ created: true, job: { marks: job.marks } })
      expect(await engine.read(job.header.id)).toMatchObject({ marks: job.marks })
      expect((await engine.read(job.header.id))?.header).toEqual(job.header)
      expect(await documentOf(engine, job.header.id)).toEqual({
        ...job.header,
        steps: [],
        items: [],
        errors: [],
        logs: [],
      })
    })

    test('create with an id that is taken changes nothing and answers the job that has it, as it is now', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const header = taken(await engine.apply(id, batchOf([{ type: 'progress', done: 1 }])))
      const second = await engine.create(newJob({ id, epoch: 'e2', owner: 'eve', title: 'Another' }))
      const job = await engine.read(id)
      expect<unknown>(second).toEqual({ created: false, job })
      expect(job?.header).toEqual(header)
    })

    test('create of one id by many at once creates one job', async () => {
      const { engine } = subject
      const id = unique('job')
      const epochs = Array.from({ length: 10 }, (_, index) => `e${index}`)
      const answers = await Promise.all(epochs.map((epoch) => engine.create(newJob({ id, epoch }))))
      expect(answers.filter((answer) => 'created' in answer && answer.created)).toHaveLength(1)
      const job = await engine.read(id)
      for (const answer of answers) expect(answer).toMatchObject({ job })
    })

    test('create refuses a creator who has too many jobs that have not ended, and no other', async () => {
      const { engine } = subject
      const createdBy = unique('creator')
      const first = await created(engine, { createdBy })
      await created(engine, { createdBy, status: 'running' })
      await created(engine, { createdBy, status: 'failed' })
      const third = newJob({ createdBy }, { liveLimit: 2 })
      expect(refusal(await engine.create(third))).toEqual({ status: 429, fields: [] })
      expect(await engine.read(third.header.id)).toBeUndefined()
      expect(refusal(await engine.create(newJob({ createdBy: unique('creator') }, { liveLimit: 2 })))).toBeUndefined()

      await publish(engine, first.id, [{ type: 'status', status: 'cancelled' }])
      expect(refusal(await engine.create(third))).toBeUndefined()
      expect(refusal(await engine.create(newJob({ createdBy }, { liveLimit: 2 })))?.status).toBe(429)

      await engine.remove(third.header.id)
      expect(refusal(await engine.create(newJob({ createdBy }, { liveLimit: 2 })))).toBeUndefined()
    })

    test('create refuses a creator of whom as many jobs are kept as may be, ended ones too, until some are removed', async () => {
      const { engine } = subject
      const createdBy = unique('creator')
      const own = { createdBy, owner: createdBy }
      const first = await created(engine, own)
      await created(engine, { ...own, status: 'failed' })
      await publish(engine, first.id, [{ type: 'status', status: 'completed' }])
      const more = () => engine.create(newJob(own, { keptLimit: { jobs: 2, bytes: 1_000_000 } }))
      expect(await more()).toMatchObject({ refused: { status: 429, limit: 'keptJobs' } })
      await engine.remove(first.id)
      expect(refusal(await more())).toBeUndefined()
      expect(await more()).toMatchObject({ refused: { limit: 'keptJobs' } })
    })

    test('create refuses a creator whose jobs have as many bytes as may be kept, until some are removed', async () => {
      const { engine } = subject
      const createdBy = unique('creator')
      const own = { createdBy, owner: createdBy }
      const large = await created(engine, own)
      const items = Array.from(
        { length: 30 },
        (_, n) => ({ type: 'item', id: `${n}`, label: 'x'.repeat(500) }) as const,
      )
      await publish(engine, large.id, items)
      await publish(engine, large.id, [{ type: 'status', status: 'completed' }])
      const small = await created(engine, own)
      // A block for the small one, and five or so for the large one.
      const more = () => engine.create(newJob(own, { keptLimit: { jobs: 100, bytes: 3 * 4_096 } }))
      expect(await more()).toMatchObject({ refused: { status: 429, limit: 'keptBytes' } })
      await engine.remove(large.id)
      expect(refusal(await more())).toBeUndefined()
      await engine.remove(small.id)
    })

    test('create with an id that is taken answers the job that has it even to one who has too many', async () => {
      const { engine } = subject
      const header = await created(engine, { createdBy: unique('creator') })
      const again = newJob({ id: header.id, createdBy: header.createdBy }, { liveLimit: 1 })
      expect(await engine.create(again)).toMatchObject({ created: false, job: { header } })
    })

    test('create keeps any text as it is', async () => {
      const { engine } = subject
      for (const text of ['a\0b', '\ud800', '\ud801', '\u2028', '__proto__', '"\\', '😀']) {
        const header = await created(engine, { owner: text, createdBy: text, kind: text, title: text })
        expect((await engine.read(header.id))?.header).toEqual(header)
        expect((await engine.list({ owner: text, kind: text, limit: 10 })).rows).toEqual([header])
      }
    })
  })

  describe('list', () => {
    test('list answers the jobs of one owner, newest first, as they are now', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const first = await created(engine, { owner, metadata: { a: 1 } })
      await created(engine, { owner: unique('owner') })
      const second = await created(engine, { owner })
      const header = taken(await engine.apply(first.id, batchOf([{ type: 'status', status: 'running', result: [1] }])))
      expect(await engine.list({ owner, limit: 10 })).toEqual({ rows: [second, header] })
      expect(await engine.list({ owner: unique('owner'), limit: 10 })).toEqual({ rows: [] })
    })

    test('list keeps to each filter, and to several together', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const make = (fields: Partial<JobHeader>) => created(engine, { owner, ...fields })
      const a = await make({ kind: 'sync', parentId: 'p1', status: 'pending' })
      const b = await make({ kind: 'import', parentId: 'p1', status: 'running' })
      const c = await make({ kind: 'sync', status: 'completed' })
      const d = await make({ kind: 'sync', parentId: 'p2', status: 'failed' })
      const e = await make({ kind: 'sync', parentId: 'p1', status: 'running' })
      const cases: [Omit<ListQuery, 'owner' | 'limit'>, JobHeader[]][] = [
        [{}, [e, d, c, b, a]],
        [{ status: 'running' }, [e, b]],
        [{ kind: 'sync' }, [e, d, c, a]],
        [{ parentId: 'p1' }, [e, b, a]],
        [{ live: true }, [e, b, a]],
        [{ live: false }, [d, c]],
        [{ live: true, kind: 'sync' }, [e, a]],
        [{ live: false, parentId: 'p2' }, [d]],
        [{ status: 'failed', live: true }, []],
        [{ status: 'running', kind: 'sync', parentId: 'p1', live: true }, [e]],
        [{ kind: 'none' }, []],
      ]
      for (const [query, rows] of cases) expect(await engine.list({ owner, limit: 10, ...query })).toEqual({ rows })
    })

    test('list follows a job from one status to the next', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const { id } = await created(engine, { owner })
      const ids = async (query: Partial<ListQuery>) =>
        (await engine.list({ owner, limit: 10, ...query })).rows.map((header) => header.id)
      for (const status of ['running', 'paused', 'running', 'completed'] as const) {
        await publish(engine, id, [{ type: 'status', status }])
        expect(await ids({ status })).toEqual([id])
        expect(await ids({ live: status !== 'completed' })).toEqual([id])
        expect(await ids({ live: status === 'completed' })).toEqual([])
        expect(await ids({ status: 'pending' })).toEqual([])
      }
    })

    test('list goes on where a page ended, whatever is created, changed or removed meanwhile', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const ids: string[] = []
      for (let index = 0; index < 6; index++) ids.unshift((await created(engine, { owner })).id)
      const first = await engine.list({ owner, limit: 2 })
      await created(engine, { owner })
      await publish(engine, ids[5] ?? '', [{ type: 'progress', done: 1 }])
      await engine.remove(ids[1] ?? '')
      await engine.remove(ids[2] ?? '')
      const second = await engine.list(withCursor({ owner, limit: 2 }, first.nextCursor))
      const third = await engine.list(withCursor({ owner, limit: 2 }, second.nextCursor))
      const seen = [first, second, third].map(({ rows }) => rows.map(({ id }) => id))
      expect(seen).toEqual([ids.slice(0, 2), ids.slice(3, 5), ids.slice(5)])
      expect(third.nextCursor).toBeUndefined()
    })

    test('list gives a cursor only when something follows', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const newest = [await created(engine, { owner }), await created(engine, { owner })].reverse()
      expect(await engine.list({ owner, limit: 2 })).toEqual({ rows: newest })
      expect(await engine.list({ owner, limit: 3 })).toEqual({ rows: newest })
      const { nextCursor } = await engine.list({ owner, limit: 1 })
      expect(nextCursor).toBeString()
      expect(await engine.list(withCursor({ owner, limit: 1 }, nextCursor))).toEqual({ rows: newest.slice(1) })
    })

    test('list ends a page at about 1 MiB, however many jobs were asked for, and the pages together have all of them', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const ids: string[] = []
      for (let index = 0; index < 30; index++) {
        const { id } = await created(engine, { owner, metadata: { m: '中'.repeat(5_000) } })
        ids.unshift(id)
      }
      const large: JobEvent = { type: 'status', status: 'running', result: 'r'.repeat(60_000) }
      await Promise.all(ids.map((id) => publish(engine, id, [large])))
      const [seen, sizes]: [string[], number[]] = [[], []]
      for (let query: ListQuery | undefined = { owner, live: true, limit: 100 }; query; ) {
        const { rows, nextCursor }: Page<JobHeader> = await engine.list(query)
        seen.push(...rows.map(({ id }) => id))
        sizes.push(new TextEncoder().encode(JSON.stringify(rows)).length)
        query = nextCursor === undefined ? undefined : withCursor({ owner, live: true, limit: 100 }, nextCursor)
      }
      expect(seen).toEqual(ids)
      expect(sizes.length).toBe(3)
      for (const size of sizes) expect(size).toBeLessThan(1024 * 1024)
    }, 180_000)

    test('list ends a page at about the bytes that were asked for, and has at least one job on each', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const sizes = [10, 10_000, 10_000, 10_000, 40_000, 10]
      const jobs: JobHeader[] = []
      for (const size of sizes) jobs.unshift(await created(engine, { owner, metadata: { text: 'x'.repeat(size) } }))
      const pages: number[] = []
      for (let query: ListQuery | undefined = { owner, limit: 10, maxBytes: 24_000 }; query; ) {
        const { rows, nextCursor }: Page<JobHeader> = await engine.list(query)
        expect(rows).toEqual(jobs.splice(0, rows.length))
        pages.push(rows.length)
        query = nextCursor === undefined ? undefined : withCursor(query, nextCursor)
      }
      expect(pages).toEqual([1, 1, 2, 2])
    })

    test('list pages within a filter', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const kinds = ['a', 'b', 'a', 'b', 'a']
      const jobs: JobHeader[] = []
      for (const kind of kinds) jobs.unshift(await created(engine, { owner, kind }))
      const wanted = jobs.filter(({ kind }) => kind === 'a')
      expect(await everyPage(engine, { owner, kind: 'a', limit: 1 })).toEqual(wanted)
      expect(await everyPage(engine, { owner, live: true, limit: 2 })).toEqual(jobs)
    })

    test('list with a cursor that no page gave answers an empty page', async () => {
      const { engine } = subject
      const { owner } = await created(engine, { owner: unique('owner') })
      for (const cursor of ['x', '-', "' OR 1=1 --", '\0', '9e999x'])
        expect(await engine.list({ owner, limit: 10, cursor })).toEqual({ rows: [] })
    })
  })

  describe('remove', () => {
    test('remove takes the job away, once', async () => {
      const { engine } = subject
      const { id, owner } = await created(engine, { owner: unique('owner') })
      expect(await engine.remove(id)).toBe(true)
      expect(await engine.remove(id)).toBe(false)
      expect(await engine.read(id)).toBeUndefined()
      expect(await engine.changesSince(id, undefined, { view: 'all', maxBytes: 1_000 })).toBeUndefined()
      expect(await engine.list({ owner, limit: 10 })).toEqual({ rows: [] })
      expect(refusal(await engine.apply(id, batchOf([{ type: 'progress', done: 1 }])))?.status).toBe(404)
    })

    test('remove with an epoch takes away that life only', async () => {
      const { engine } = subject
      const { id } = await created(engine, { epoch: 'e1' })
      expect(await engine.remove(id, { epoch: 'e2' })).toBe(false)
      expect(await engine.read(id)).toBeDefined()
      expect(await engine.remove(id, { epoch: 'e1' })).toBe(true)
    })

    test('remove of what has expired decides when it is committed', async () => {
      const { engine } = subject
      const now = Date.parse(instantOf(2))
      const expired = { now, since: 0, steps: [], retentionSeconds: 60 }
      const { id } = await created(engine)
      expect(await engine.remove(id, { expired: { ...expired, now: now + 1e9 } })).toBe(false)
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'failed' }])))
      expect(await engine.remove(id, { expired: { ...expired, now: now + 59_999 } })).toBe(false)
      expect(await engine.remove(id, { expired: { ...expired, now: now + 60_000 } })).toBe(true)
      expect(await engine.read(id)).toBeUndefined()
    })

    test('remove leaves nothing to the next life of the id', async () => {
      const { engine } = subject
      const { id } = await created(engine, { epoch: 'e1', metadata: { a: 1 } })
      const key = { key: 'k', digest: 'd' }
      const events = [
        { type: 'item', id: 'a', label: 'A' },
        { type: 'step', id: 's', done: 1 },
        { type: 'error', message: 'm' },
        { type: 'log', message: 'm' },
      ] as const
      taken(await engine.apply(id, batchOf([...events], { key })))
      const old = await changes(engine, id)
      await engine.remove(id)

      const header = await created(engine, { id, epoch: 'e2' })
      expect(await documentOf(engine, id)).toEqual({ ...header, steps: [], items: [], errors: [], logs: [] })
      expect((await changes(engine, id, { epoch: 'e1', version: old.to })).from).toBe(0)
      const applied = await engine.apply(id, batchOf([{ type: 'item', id: 'a', status: 'running' }], { key }))
      expect(applied).toMatchObject({ repeat: false })
      expect((await documentOf(engine, id)).items).toEqual([{ id: 'a', index: 0, version: 2, status: 'running' }])
    })
  })
}

function withCursor(query: ListQuery, cursor: string | undefined): ListQuery {
  return cursor === undefined ? query : { ...query, cursor }
}

async function everyPage(engine: Engine, query: ListQuery): Promise<JobHeader[]> {
  const rows: JobHeader[] = []
  let cursor: string | undefined
  do {
    const page = await engine.list(withCursor(query, cursor))
    rows.push(...page.rows)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return rows
}
