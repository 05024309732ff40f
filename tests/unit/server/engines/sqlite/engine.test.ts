import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { openDatabase } from '../../../../../server/engines/sqlite/file/open.ts'
import type { Batch } from '../../../../../server/jobs/engine.ts'
import { KEY_LIFETIME, KEYS_KEPT } from '../../../../../server/jobs/idempotency.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { CREATED_AT } from '../../../../arbitraries.ts'
import {
  batchOf,
  created,
  documentOf,
  newJob,
  publish,
  refusal,
  taken,
  WakeLog,
} from '../../../../conformance/fixtures.ts'
import { logFrames, transactions, withEngine, withPath, withWriter } from './sqlite-fixtures.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const log = (message: string): JobEvent => ({ type: 'log', message })

describe('SqliteEngine groups', () => {
  test('apply of many in one turn takes one transaction', async () => {
    await withEngine(async ({ engine, path }) => {
      const jobs = await Promise.all(Array.from({ length: 64 }, () => created(engine)))
      expect(transactions(path)).toBe(1)
      for (let turn = 1; turn <= 3; turn++) {
        await Promise.all(jobs.map(({ id }) => engine.apply(id, batchOf([progress(turn)]))))
        expect(transactions(path)).toBe(1 + turn)
      }
    })
  })

  test('apply of those who come a few promises later is in the same group', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      const before = transactions(path)
      const later = async (promises: number) => {
        for (let passed = 0; passed < promises; passed++) await undefined
        return engine.apply(id, batchOf([progress(promises)]))
      }
      await Promise.all([later(0), later(1), later(5), later(20)])
      expect(transactions(path)).toBe(before + 1)
    })
  })

  test('apply of many to one job in one turn writes its header once', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      const before = logFrames(path).length
      await Promise.all(Array.from({ length: 100 }, (_, index) => engine.apply(id, batchOf([progress(index)]))))
      expect(logFrames(path).length - before).toBe(1)
      expect(await documentOf(engine, id)).toMatchObject({ version: 101, progress: { done: 99 } })
    })
  })

  test('apply writes no more pages for a job of many rows than for one of few', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      const items = (from: number, to: number): JobEvent[] =>
        Array.from({ length: to - from }, (_, index) => ({ type: 'item', id: `${from + index}`, label: 'item' }))
      const cost = async () => {
        const before = logFrames(path).length
        await publish(engine, id, [progress(1), log('line'), { type: 'item', id: '5', status: 'running' }])
        return logFrames(path).length - before
      }
      await publish(engine, id, items(0, 100))
      const few = await cost()
      await publish(engine, id, items(100, 5_000))
      // The indexes are a page deeper, and two rows may now lie on two pages.
      expect(await cost()).toBeLessThanOrEqual(few + 4)
    })
  })

  test('apply that is refused or repeated writes nothing', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      const keyed = batchOf([progress(1)], { key: { key: 'k', digest: 'd' } })
      taken(await engine.apply(id, keyed))
      const before = logFrames(path).length
      await Promise.all([
        engine.apply(id, batchOf([progress(1)], { createdBy: 'eve' })),
        engine.apply('no-such-job', batchOf([progress(1)])),
        engine.apply(id, keyed),
        engine.create(newJob({ id })),
        engine.remove('no-such-job'),
      ])
      expect(logFrames(path).length).toBe(before)
    })
  })

  test('check writes nothing', async () => {
    await withEngine(async ({ engine, path }) => {
      await created(engine)
      const before = logFrames(path).length
      await Promise.all([engine.check(), engine.check()])
      expect(logFrames(path).length).toBe(before)
    })
  })

  test('requests of one turn are decided in the order in which they came', async () => {
    await withWriter(async ({ engine, path }) => {
      const { id } = await created(engine, { epoch: 'e1' })
      const wakes = new WakeLog()
      await engine.watch({ job: id }, wakes.wake)
      const before = transactions(path)
      const [first, removed, none, second, gone, third, next] = await Promise.all([
        engine.apply(id, batchOf([{ type: 'item', id: 'a', label: 'A' }, log('old')])),
        engine.remove(id),
        engine.apply(id, batchOf([progress(1)])),
        engine.create(newJob({ id, epoch: 'e2' })),
        engine.remove(id, { epoch: 'e2' }),
        engine.create(newJob({ id, epoch: 'e3' })),
        engine.apply(id, batchOf([{ type: 'item', id: 'b', label: 'B' }])),
      ])
      expect(transactions(path)).toBe(before + 1)
      expect(taken(first)).toMatchObject({ epoch: 'e1', version: 3 })
      expect([removed, gone]).toEqual([true, true])
      expect(refusal(none)?.status).toBe(404)
      expect([second, third]).toMatchObject([{ created: true }, { created: true }])
      expect(taken(next)).toMatchObject({ epoch: 'e3', version: 2 })
      while (wakes.changes.length < 6) await new Promise((resolve) => setImmediate(resolve))
      expect(wakes.changes.map(({ epoch, from, to, removed }) => [epoch, from, to, removed])).toEqual([
        ['e1', 1, 3, undefined],
        ['e1', 3, 3, true],
        ['e2', 0, 1, undefined],
        ['e2', 1, 1, true],
        ['e3', 0, 1, undefined],
        ['e3', 1, 2, undefined],
      ])
      const document = await documentOf(engine, id)
      expect(document.items).toEqual([{ id: 'b', index: 0, version: 2, status: 'pending', label: 'B' }])
      expect(document.logs).toEqual([])
    })
  })

  test('create counts the jobs of its own group against the limit', async () => {
    await withEngine(async ({ engine }) => {
      const first = await created(engine)
      const make = () => engine.create(newJob({}, { liveLimit: 3 }))
      const answers = await Promise.all([
        make(),
        make(),
        make(),
        engine.apply(first.id, batchOf([{ type: 'status', status: 'completed' }])),
        make(),
        make(),
      ])
      expect(answers.map((answer) => refusal(answer)?.status)).toEqual([
        undefined,
        undefined,
        429,
        undefined,
        undefined,
        429,
      ])
    })
  })

  test('apply of a batch that makes the fold throw rejects for that one alone', async () => {
    await withEngine(async ({ engine }) => {
      const jobs = [await created(engine), await created(engine)]
      const end: Batch = batchOf([{ type: 'status', status: 'completed' }], { retentionSeconds: 1e300 })
      const answers = await Promise.allSettled(
        jobs.flatMap(({ id }) => [engine.apply(id, end), engine.apply(id, batchOf([progress(1)]))]),
      )
      expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
      for (const { id } of jobs) expect(await documentOf(engine, id)).toMatchObject({ version: 2, status: 'pending' })
    })
  })
})

describe('SqliteEngine keeps', () => {
  test('close commits what waits, answers it, and leaves one file', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      const job = newJob()
      const answers = [engine.create(job), engine.apply(job.header.id, batchOf([progress(1)]))]
      await engine.close()
      await engine.close()
      expect(await Promise.all(answers)).toMatchObject([{ created: true }, { repeat: false }])
      expect(readdirSync(dirname(path)).sort()).toEqual(['milepost.db', 'milepost.db-lock', 'milepost.db-reserve'])
      expect(refusal(await engine.apply(job.header.id, batchOf([progress(2)])))?.status).toBe(503)

      const again = await SqliteEngine.open(path)
      expect((await again.read(job.header.id))?.header).toMatchObject({ version: 2, progress: { done: 1 } })
      await again.close()
    }))

  test('open finds everything as it was: documents, keys, limits, order and what is due', () =>
    withPath(async (path) => {
      const before = await SqliteEngine.open(path)
      const key = { key: 'k', digest: 'd' }
      const first = await created(before, { metadata: { a: 'é😀\0\ud800' }, timeoutSeconds: 10 })
      const second = await created(before, { parentId: first.id })
      const events: JobEvent[] = [
        { type: 'status', status: 'running', result: { b: [null, 1.5] } },
        { type: 'step', id: 's', status: 'running' },
        ...Array.from(
          { length: 300 },
          (_, index): JobEvent => ({ type: 'item', id: `${index}`, label: `item ${index}` }),
        ),
        ...Array.from({ length: 120 }, (_, index): JobEvent => ({ type: 'error', message: `error ${index}` })),
      ]
      taken(await before.apply(first.id, batchOf(events, { key })))
      await publish(
        before,
        first.id,
        Array.from({ length: 1_100 }, (_, index) => log(`line ${index}`)),
      )
      await publish(before, first.id, [{ type: 'status', status: 'running', result: ['newer'] }])
      await publish(before, second.id, [{ type: 'progress', done: 1 }])
      await publish(before, second.id, [{ type: 'status', status: 'pending', metadata: { newer: true } }])
      const state = async (engine: SqliteEngine) => ({
        jobs: [await engine.read(first.id), await engine.read(second.id)],
        document: await documentOf(engine, first.id),
        list: await engine.list({ owner: first.owner, limit: 10 }),
        due: await engine.due({ list: 'end', before: Date.parse(CREATED_AT) + 1e6, limit: 10 }),
      })
      const expected = await state(before)
      expect(expected).toMatchObject({
        document: { version: 1_524, items: { length: 300 }, errors: { length: 100 }, logs: { length: 1_000 } },
        list: { rows: [{ id: second.id }, { id: first.id }] },
        due: [{ id: first.id }],
      })
      await before.close()

      const after = await SqliteEngine.open(path)
      expect(await state(after)).toEqual(expected)
      expect(await after.apply(first.id, batchOf(events, { key }))).toMatchObject({ repeat: true })
      expect(refusal(await after.create(newJob({}, { liveLimit: 2 })))?.status).toBe(429)
      await publish(after, first.id, [{ type: 'item', id: '7', status: 'succeeded' }, log('last')])
      const { items, logs } = await documentOf(after, first.id)
      expect(items[7]).toMatchObject({ index: 7, status: 'succeeded', label: 'item 7', version: 1_525 })
      expect([logs.length, logs[0]?.message, logs.at(-1)?.message]).toEqual([1_000, 'line 101', 'last'])
      await after.close()
    }))

  test('apply keeps a bounded number of keys in the file, and none for long after their hour', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      const [many, few] = [await created(engine), await created(engine)]
      const use = async (id: string, number: number, after: number) => {
        const now = Date.parse(CREATED_AT) + after
        const [at, keyHorizon] = [new Date(now).toISOString(), now - KEY_LIFETIME]
        const key = { key: `k${number}`, digest: 'd' }
        taken(await engine.apply(id, batchOf([progress(number)], { at, keyHorizon, key })))
      }
      for (let number = 0; number < 50; number++) await use(few.id, number, 0)
      for (let number = 0; number < 3 * KEYS_KEPT + 10; number++) await use(many.id, number, 1_000)
      // Each of these clears away two of the old ones.
      for (let number = 0; number < 26; number++) await use(few.id, 1_000 + number, KEY_LIFETIME + 500)
      await engine.close()

      const { db, close } = openDatabase(path)
      const counts = db
        .prepare('SELECT jobs.id, count(*) AS n FROM keys JOIN jobs ON jobs.seq = keys.job GROUP BY 1')
        .all()
      close()
      expect(Object.fromEntries(counts.map(({ id, n }) => [id, n]))).toEqual({
        [many.id]: KEYS_KEPT + 10,
        [few.id]: 26,
      })
    }))

  test('remove leaves nothing of a job in the file, a little at a time', async () => {
    await withWriter(async ({ engine, writer, db }) => {
      const { id } = await created(engine)
      const other = await created(engine)
      const items = Array.from(
        { length: 1_000 },
        (_, index): JobEvent => ({ type: 'item', id: `${index}`, label: 'A' }),
      )
      const rows: JobEvent[] = [{ type: 'step', id: 's', label: 'S' }, log('line')]
      for (let from = 0; from < 5; from++)
        await publish(
          engine,
          id,
          items.map((item) => ({ ...item, id: `${from}:${(item as { id: string }).id}` })),
        )
      taken(await engine.apply(id, batchOf(rows, { key: { key: 'k', digest: 'd' } })))
      await publish(engine, other.id, rows)
      let commits = 0
      const commit = writer.commit.bind(writer)
      writer.commit = (plan) => {
        commits += 1
        return commit(plan)
      }
      await engine.remove(id)
      const count = (table: string) => (db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n
      expect(['jobs', 'heads', 'rows', 'keys'].map(count)).toEqual([1, 1, 5_004, 1])
      // Its number is not given to another job while rows have it.
      await engine.create(newJob())
      expect((await documentOf(engine, other.id)).items).toEqual([])
      while (count('trash') > 0) await Bun.sleep(1)
      // The removal, the new job, the rows in three, the keys, and what says that there are some.
      expect(commits).toBe(7)
      expect(['jobs', 'heads', 'rows', 'keys', 'trash'].map(count)).toEqual([2, 2, 2, 0, 0])
    })
  })

  test('remove makes a large file smaller', async () => {
    await withWriter(async ({ engine, db }) => {
      const pages = () => Number(Object.values(db.prepare('PRAGMA page_count').get() ?? {})[0])
      const before = pages()
      const { id } = await created(engine)
      for (let from = 0; from < 10; from++)
        await publish(
          engine,
          id,
          Array.from({ length: 100 }, (_, index): JobEvent => {
            return { type: 'item', id: `${from}:${index}`, message: 'x'.repeat(8_000) }
          }),
        )
      expect(pages()).toBeGreaterThan(before + 2_000)
      await engine.remove(id)
      while (pages() >= before + 1_100) await Bun.sleep(1)
      expect(pages()).toBeLessThan(before + 1_100)
    })
  })
})
