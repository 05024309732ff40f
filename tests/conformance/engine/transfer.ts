import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Batch, Engine, ListQuery, StoredJob } from '../../../server/jobs/engine.ts'
import type { JobRecord, Transfer } from '../../../server/jobs/transfer.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { CREATED_AT } from '../../arbitraries.ts'
import {
  ALL,
  batchOf,
  changes,
  created,
  documentOf,
  HEADER,
  newJob,
  type OpenEngine,
  publish,
  taken,
  unique,
} from '../fixtures.ts'

/** All of a store, read and written for a copy. */
export function describeTransfer(open: OpenEngine): void {
  describe('transfer', () => {
    const opened: Awaited<ReturnType<OpenEngine>>[] = []
    /** An empty engine of its own. */
    const another = async (): Promise<Engine & { transfer: Transfer }> => {
      const one = await open()
      opened.push(one)
      if (!one.engine.transfer) throw new Error('The engine can not be copied')
      return one.engine as Engine & { transfer: Transfer }
    }
    let from: Engine & { transfer: Transfer }
    let to: Engine & { transfer: Transfer }
    beforeAll(async () => {
      from = await another()
      to = await another()
    })
    afterAll(() => Promise.all(opened.map(({ release }) => release())))

    const recordOf = async (engine: Engine & { transfer: Transfer }, id: string): Promise<JobRecord> => {
      const record = await engine.transfer.readRecord(id)
      if (!record) throw new Error(`No job ${id}`)
      return record
    }
    const copy = async (id: string, over?: StoredJob) => to.transfer.writeRecord(await recordOf(from, id), over)
    const keyed = (key: string): Batch =>
      batchOf([{ type: 'log', message: key }], { key: { key, digest: `digest of ${key}` } })

    /** More rows than a window, and of each kind. */
    const eventful: JobEvent[] = [
      { type: 'status', status: 'running', message: 'off' },
      ...['fetch', 'a\u0000b', '\ud800'].map((id): JobEvent => ({ type: 'step', id, status: 'running', label: id })),
      ...Array.from({ length: ERROR_WINDOW + 30 }, (_, n): JobEvent => ({ type: 'error', message: `error ${n}` })),
      ...Array.from({ length: LOG_WINDOW + 20 }, (_, n): JobEvent => ({ type: 'log', message: `line ${n}` })),
      ...Array.from({ length: 1_500 }, (_, n): JobEvent => ({ type: 'item', id: `item ${n}`, status: 'running' })),
      { type: 'item', id: 'item 7', status: 'succeeded' },
      { type: 'progress', done: 3, total: 4 },
    ]

    test('a job of another store is the same document, at every version, and goes on the same', async () => {
      const { id, epoch } = await created(from, { metadata: { a: 1 }, parentId: 'parent', timeoutSeconds: 60 })
      await publish(from, id, eventful)
      expect(await copy(id)).toBe(true)
      expect<unknown>(await to.read(id)).toEqual(await from.read(id))
      const more: JobEvent[] = [
        { type: 'item', id: 'item 7', status: 'failed', error: 'no' },
        { type: 'item', id: 'another', status: 'running' },
        { type: 'step', id: 'a\u0000b', status: 'succeeded' },
        ...Array.from({ length: 50 }, (_, n): JobEvent => ({ type: 'error', message: `later ${n}` })),
        { type: 'log', message: 'later' },
        { type: 'status', status: 'completed', result: { rows: 7 } },
      ]
      for (const events of [[], more]) {
        for (const engine of [from, to]) await publish(engine, id, events)
        for (const version of [0, 1, 5, 140, 1_000, 2_600, 2_650]) {
          for (const page of [ALL, HEADER])
            expect(await changes(to, id, { epoch, version }, page)).toEqual(
              withGenerationOf(
                await changes(to, id, { epoch, version }, HEADER),
                await changes(from, id, { epoch, version }, page),
              ),
            )
        }
      }
    }, 60_000)

    test("a job of another store keeps its place in lists, is due, and counts as its creator's", async () => {
      const owner = unique('owner')
      const [older, newer] = [await created(from, { owner, timeoutSeconds: 60 }), await created(from, { owner })]
      for (const { id } of [newer, older]) expect(await copy(id)).toBe(true)
      const newest = await created(to, { owner })
      const { rows } = await to.list({ owner, limit: 10 })
      expect(rows.map(({ id }) => id)).toEqual([newest.id, newer.id, older.id])
      for (const query of [{ status: 'pending' as const }, { live: true }, { kind: older.kind }])
        expect((await to.list({ owner, limit: 10, ...query })).rows).toEqual(rows)
      const due = await to.due?.({ list: 'end', before: Number.MAX_SAFE_INTEGER, limit: 1_000 })
      expect(due?.some(({ id }) => id === older.id)).toBe(true)
      const [createdBy, keptLimit] = [unique('creator'), { jobs: 1, bytes: Number.MAX_SAFE_INTEGER }]
      expect(await copy((await created(from, { createdBy })).id)).toBe(true)
      expect(await to.create(newJob({ createdBy }, { keptLimit }))).toMatchObject({ refused: { status: 429 } })
      expect(await to.create(newJob({ createdBy }, { liveLimit: 1 }))).toMatchObject({ refused: { status: 429 } })
    })

    test('a job of a tenant is in the list of its tenant', async () => {
      const { id } = await created(from, { id: `copied::${unique('job')}`, owner: 'copied::ada' })
      expect(await copy(id)).toBe(true)
      expect((await to.list({ owner: 'copied::', limit: 10 })).rows).toMatchObject([{ id }])
    })

    test('a place that another job has becomes the next free one', async () => {
      const owner = unique('owner')
      const taker = await created(to, { owner })
      const { place } = await recordOf(to, taker.id)
      const records = await Promise.all(
        [0, 1].map(async () => ({ ...(await recordOf(from, (await created(from, { owner })).id)), place })),
      )
      expect(await Promise.all(records.map((record) => to.transfer.writeRecord(record)))).toEqual([true, true])
      await created(to, { owner })
      const listed = (await to.list({ owner, limit: 10 })).rows.map(({ id }) => id)
      expect(listed).toHaveLength(4)
      for (const id of [taker.id, ...records.map(({ header }) => header.id)]) expect(listed.includes(id)).toBe(true)
      for (const { header } of records)
        expect(await documentOf(to, header.id)).toEqual(await documentOf(from, header.id))
    })

    test('a job of another store knows its idempotency keys, and ends tokens from the series that it had', async () => {
      const { id } = await created(from)
      for (const key of ['k1', 'k2', 'k3']) taken(await from.apply(id, keyed(key)))
      taken(await from.apply(id, { events: [], at: CREATED_AT, decide: 'end-tokens' }))
      expect(await copy(id)).toBe(true)
      expect((await recordOf(to, id)).keys).toEqual((await recordOf(from, id)).keys)
      expect((await recordOf(to, id)).keys.map(({ key }) => key)).toEqual(['k1', 'k2', 'k3'])
      expect(await to.apply(id, keyed('k2'))).toMatchObject({ repeat: true, header: { version: 4 } })
      expect(await to.apply(id, keyed('k4'))).toMatchObject({ repeat: false, header: { version: 5 } })
      taken(await to.apply(id, { events: [], at: CREATED_AT, decide: 'end-tokens' }))
      expect((await to.read(id))?.marks.tokenSeries).toBe(((await from.read(id))?.marks.tokenSeries ?? 0) + 1)
    })

    test('a job is replaced only if it is the expected one, and keeps its place', async () => {
      const owner = unique('owner')
      const { id } = await created(from, { owner })
      expect(await copy(id)).toBe(true)
      const newer = await created(to, { owner })
      const copied = await to.read(id)
      if (!copied) throw new Error('It was copied')
      expect(await copy(id)).toBe(false)
      await publish(from, id, eventful)
      expect(await copy(id)).toBe(false)
      expect<unknown>(await to.read(id)).toEqual(copied)
      expect(await copy(id, { ...copied, header: { ...copied.header, version: 9 } })).toBe(false)
      expect(await copy(id, copied)).toBe(true)
      expect(await documentOf(to, id)).toEqual(await documentOf(from, id))
      expect((await to.list({ owner, limit: 10 })).rows.map((header) => header.id)).toEqual([newer.id, id])
      expect((await to.list({ owner, limit: 10, status: 'pending' })).rows.map((header) => header.id)).toEqual([
        newer.id,
      ])
      // With another job in its place there is nothing to replace.
      const absent = await created(from)
      expect(await copy(absent.id, copied)).toBe(false)
      expect(await to.read(absent.id)).toBeUndefined()
    }, 60_000)

    test('a job that replaces one of another life leaves nothing of it in lists and counts', async () => {
      const namesOfLife = () => ({ owner: unique('owner'), kind: unique('kind'), createdBy: unique('creator') })
      const [old, next] = [namesOfLife(), namesOfLife()]
      const { id } = await created(to, { ...old, parentId: 'parent', timeoutSeconds: 60 })
      await publish(to, id, eventful)
      const replaced = await to.read(id)
      await created(from, { ...next, id, epoch: 'other' })
      expect(await copy(id, replaced)).toBe(true)
      expect(await documentOf(to, id)).toEqual(await documentOf(from, id))
      const idsOf = async (query: Partial<ListQuery>) =>
        (await to.list({ owner: undefined, limit: 10, ...query })).rows.map((header) => header.id)
      for (const query of [{ owner: old.owner }, { kind: old.kind }, { owner: next.owner, parentId: 'parent' }])
        expect(await idsOf(query)).toEqual([])
      for (const query of [{ owner: next.owner }, { kind: next.kind }, { owner: next.owner, live: true }])
        expect(await idsOf(query)).toEqual([id])
      const keptLimit = { jobs: 1, bytes: Number.MAX_SAFE_INTEGER }
      const create = (createdBy: string) => to.create(newJob({ createdBy }, { keptLimit, liveLimit: 1 }))
      expect(await create(old.createdBy)).toMatchObject({ created: true })
      expect(await create(next.createdBy)).toMatchObject({ refused: { status: 429 } })
      if (!to.figures) return
      const { byKind, creators } = await to.figures(1_000)
      expect(byKind.some(({ kind }) => kind === old.kind)).toBe(false)
      expect(creators.find(({ sub }) => sub === old.createdBy)).toMatchObject({ live: 1, jobs: 1, bytes: 4_096 })
    })

    test('a copied job can be removed and created again', async () => {
      const { id } = await created(from)
      await publish(from, id, eventful)
      expect(await copy(id)).toBe(true)
      expect(await to.remove(id)).toBe(true)
      await created(to, { id, epoch: 'another' })
      expect(await documentOf(to, id)).toMatchObject({ epoch: 'another', version: 1, items: [], logs: [] })
      expect(await copy(id)).toBe(false)
    }, 60_000)

    test('all ids are listed, page by page, and counted', async () => {
      const store = await another()
      const ids = await Promise.all(Array.from({ length: 25 }, async () => (await created(store)).id))
      const listed: string[] = []
      let cursor: string | undefined
      do {
        const page = await store.transfer.listIds({ cursor, limit: 4 })
        listed.push(...page.rows)
        cursor = page.nextCursor
      } while (cursor !== undefined)
      expect(listed.sort()).toEqual(ids.sort())
      expect(await store.transfer.countJobs()).toBe(25)
    })

    test('notes of all kinds are listed with their expiry, in the order of their keys', async () => {
      const store = await another()
      const until = Date.now() + 600_000
      const notes = ['b/1', 'a/2/x', 'c/1', 'a/1'].map((key, n) => ({ key, text: `text\u0000${n}`, until: until + n }))
      for (const { until, ...note } of notes) await store.notes.put(note, until, Date.now())
      const sorted = notes.toSorted((a, b) => (a.key < b.key ? -1 : 1))
      expect(await store.transfer.listNotes({ after: '', limit: 3 })).toEqual(sorted.slice(0, 3))
      expect(await store.transfer.listNotes({ after: sorted[2]?.key ?? '', limit: 3 })).toEqual(sorted.slice(3))
    })

    test('a store is idle when nobody else uses it', async () => {
      expect(await to.transfer.requireIdle?.()).toBeUndefined()
    })
  })
}

/** A patch with the generation of another, which differs once both stores have applied events. */
function withGenerationOf<T extends { job: { generation?: string | undefined } }>(
  { job: { generation } }: T,
  patch: T,
): T {
  const { generation: _, ...job } = patch.job
  return { ...patch, job: generation === undefined ? job : { ...job, generation } }
}
