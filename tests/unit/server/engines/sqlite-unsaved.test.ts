import { describe, expect, test } from 'bun:test'
import { copyFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import type { Engine } from '../../../../server/engine.ts'
import { GATHER_MS } from '../../../../server/engines/gathering.ts'
import { SqliteEngine } from '../../../../server/engines/sqlite.ts'
import { openDatabase } from '../../../../server/engines/sqlite-open.ts'
import { LOG_JOBS, SAVE_MS } from '../../../../server/engines/sqlite-unsaved.ts'
import type { JobEvent } from '../../../../shared/events.ts'
import { batchOf, created, documentOf, newJob, publish, refusal, taken } from '../../../conformance/fixtures.ts'
import { VirtualClock } from '../../../virtual-clock.ts'
import { withPath } from './sqlite-fixtures.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const item = (id: string): JobEvent => ({ type: 'item', id, label: id })

interface Opened {
  engine: SqliteEngine
  db: DatabaseSync
  clock: VirtualClock
  /** Runs with what another process would find, were this one killed now. */
  afterCrash(look: (engine: SqliteEngine) => Promise<void>): Promise<void>
}

async function withUnsaved(run: (opened: Opened) => Promise<void>): Promise<void> {
  await withPath(async (path) => {
    const db = openDatabase(path)
    const clock = new VirtualClock()
    const engine = new SqliteEngine(db, { clock })
    let crashes = 0
    const afterCrash = async (look: (engine: SqliteEngine) => Promise<void>) => {
      const copy = join(dirname(path), `crash-${++crashes}.db`)
      for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix)
      const found = SqliteEngine.open(copy)
      await look(found)
      await found.close()
    }
    await run({ engine, db, clock, afterCrash })
    await engine.close()
    expect(clock.pending).toBe(0)
  })
}

/** Lets every commit fail until what it answers is called. */
function failCommits(db: DatabaseSync): () => void {
  const exec = db.exec.bind(db)
  db.exec = (sql) => {
    if (sql === 'COMMIT') throw new Error('disk I/O error')
    exec(sql)
  }
  return () => {
    db.exec = exec
  }
}

const logged = (db: DatabaseSync) => (db.prepare('SELECT count(*) AS n FROM log').get() as { n: number }).n

/** The versions of the heads in the file. */
const saved = (db: DatabaseSync) =>
  db
    .prepare("SELECT body ->> '$.header.version' AS version FROM heads ORDER BY job")
    .all()
    .map((row) => (row as { version: number }).version)

describe('SqliteEngine with what it logged and did not save', () => {
  test('apply of progress alone is logged, read as it is, and saved a second later', async () => {
    await withUnsaved(async ({ engine, db, clock }) => {
      const { id, owner } = await created(engine)
      await publish(engine, id, [progress(1)])
      await publish(engine, id, [progress(2), progress(3)])
      expect([logged(db), saved(db)]).toEqual([2, [1]])
      expect((await engine.read(id))?.header).toMatchObject({ version: 4, progress: { done: 3 } })
      expect(await documentOf(engine, id)).toMatchObject({ version: 4, progress: { done: 3 } })
      expect((await engine.list({ owner, limit: 10 })).rows).toMatchObject([{ version: 4, progress: { done: 3 } }])
      await clock.advance(SAVE_MS - 1)
      expect(logged(db)).toBe(2)
      await clock.advance(1)
      expect([logged(db), saved(db)]).toEqual([0, [4]])
      expect(await documentOf(engine, id)).toMatchObject({ version: 4, progress: { done: 3 } })
    })
  })

  test('apply of what has rows, a status or many events is saved at once, with all that was logged of the job', async () => {
    const changes: JobEvent[][] = [
      [item('a')],
      [{ type: 'step', id: 's', label: 'S' }],
      [{ type: 'log', message: 'line' }],
      [{ type: 'error', message: 'broken' }],
      [{ type: 'status', status: 'running' }],
      [{ type: 'control', cancelRequested: true }],
      Array.from({ length: 9 }, (_, done) => progress(done)),
    ]
    for (const events of changes) {
      await withUnsaved(async ({ engine, db, afterCrash }) => {
        const { id } = await created(engine)
        await publish(engine, id, [progress(1)])
        await publish(engine, id, events)
        expect([logged(db), saved(db)]).toEqual([1, [2 + events.length]])
        await publish(engine, id, [progress(7)])
        const document = await documentOf(engine, id)
        expect(document.version).toBe(3 + events.length)
        await afterCrash(async (found) => expect(await documentOf(found, id)).toEqual(document))
      })
    }
  })

  test('open after a crash has all that was logged, and its keys', async () => {
    await withUnsaved(async ({ engine, afterCrash }) => {
      const [first, second] = [await created(engine), await created(engine)]
      await publish(engine, first.id, [progress(1)])
      const key = { key: 'k', digest: 'd' }
      taken(await engine.apply(second.id, batchOf([progress(5)], { key })))
      await publish(engine, first.id, [progress(2)])
      const documents = [await documentOf(engine, first.id), await documentOf(engine, second.id)]
      await afterCrash(async (found) => {
        expect([await documentOf(found, first.id), await documentOf(found, second.id)]).toEqual(documents)
        expect(await found.apply(second.id, batchOf([progress(5)], { key }))).toMatchObject({ repeat: true })
        expect(taken(await found.apply(first.id, batchOf([progress(3)]))).version).toBe(4)
      })
    })
  })

  test('a job that was removed, and one made again under its id, have nothing of what was logged', async () => {
    await withUnsaved(async ({ engine, afterCrash }) => {
      const [gone, again] = [await created(engine), await created(engine)]
      await publish(engine, gone.id, [progress(1)])
      await publish(engine, again.id, [progress(1)])
      await engine.remove(gone.id)
      await engine.remove(again.id)
      await engine.create(newJob({ id: again.id, epoch: 'another' }))
      const look = async (found: Engine) => {
        expect(await found.read(gone.id)).toBeUndefined()
        expect((await found.read(again.id))?.header).toMatchObject({ version: 1, progress: { done: 0 } })
      }
      await look(engine)
      await afterCrash(look)
    })
  })

  test('a commit that fails leaves what was logged before', async () => {
    await withUnsaved(async ({ engine, db }) => {
      const { id } = await created(engine)
      await publish(engine, id, [progress(1)])
      const mend = failCommits(db)
      expect(refusal(await engine.apply(id, batchOf([progress(2)])))?.status).toBe(503)
      mend()
      expect((await engine.read(id))?.header).toMatchObject({ version: 2, progress: { done: 1 } })
      expect(taken(await engine.apply(id, batchOf([progress(3)]))).version).toBe(3)
    })
  })

  test('a save that fails is tried again, and nothing is missing meanwhile', async () => {
    await withUnsaved(async ({ engine, db, clock, afterCrash }) => {
      const { id } = await created(engine)
      await publish(engine, id, [progress(1)])
      const mend = failCommits(db)
      await clock.advance(SAVE_MS)
      mend()
      expect([logged(db), saved(db)]).toEqual([1, [1]])
      const document = await documentOf(engine, id)
      expect(document.version).toBe(2)
      await afterCrash(async (found) => expect(await documentOf(found, id)).toEqual(document))
      await clock.advance(SAVE_MS)
      expect([logged(db), saved(db)]).toEqual([0, [2]])
    })
  })

  test('close lets go of the file though nothing can be saved, and the next one has it all', async () => {
    await withPath(async (path) => {
      const db = openDatabase(path)
      const engine = new SqliteEngine(db)
      const { id } = await created(engine)
      await publish(engine, id, [progress(1)])
      failCommits(db)
      await engine.close()
      const found = SqliteEngine.open(path)
      expect((await found.read(id))?.header).toMatchObject({ version: 2, progress: { done: 1 } })
      await found.close()
    })
  })

  test('what is logged is bounded: when there are many jobs in it, the next commit saves them', async () => {
    await withUnsaved(async ({ engine, db, clock }) => {
      const jobs = await Promise.all(Array.from({ length: LOG_JOBS }, () => created(engine)))
      await Promise.all(jobs.map(({ id }) => publish(engine, id, [progress(1)])))
      expect(logged(db)).toBe(1)
      const next = publish(engine, jobs[0]?.id ?? '', [progress(2)])
      await clock.advance(GATHER_MS)
      await next
      expect(logged(db)).toBe(1)
      expect(saved(db)).toEqual(jobs.map(() => 2))
    })
  })

  test('open after a crash, whenever it comes, has every document as it was', async () => {
    const batch = fc.oneof(
      fc.array(fc.nat(1_000).map(progress), { minLength: 1, maxLength: 12 }),
      fc.constantFrom<JobEvent[]>([item('a')], [item('b'), progress(1)], [{ type: 'log', message: 'line' }]),
      fc.constantFrom<JobEvent[]>([{ type: 'status', status: 'running' }], [{ type: 'control', pauseRequested: true }]),
    )
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ job: fc.nat(2), batch, key: fc.option(fc.nat(5)) }) },
      { weight: 1, arbitrary: fc.constantFrom('save', 'crash', 'fail', 'remake') },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await withUnsaved(async ({ engine, db, clock, afterCrash }) => {
          const ids = [(await created(engine)).id, (await created(engine)).id, (await created(engine)).id]
          const documents = (of: Engine) => Promise.all(ids.map((id) => documentOf(of, id)))
          for (const [number, one] of [...steps, 'crash'].entries()) {
            if (one === 'save') await clock.advance(SAVE_MS)
            else if (one === 'crash') {
              const before = await documents(engine)
              await afterCrash(async (found) => expect(await documents(found)).toEqual(before))
            } else if (one === 'fail') {
              const before = await documents(engine)
              const mend = failCommits(db)
              expect(refusal(await engine.apply(ids[0] ?? '', batchOf([progress(number)])))?.status).toBe(503)
              mend()
              expect(await documents(engine)).toEqual(before)
            } else if (one === 'remake') {
              await engine.remove(ids[1] ?? '')
              await engine.create(newJob({ id: ids[1] ?? '', epoch: `life${number}` }))
            } else if (typeof one === 'object') {
              const key = one.key === null ? {} : { key: { key: `k${one.key}`, digest: JSON.stringify(one.batch) } }
              await engine.apply(ids[one.job] ?? '', batchOf(one.batch, key))
            }
          }
        })
      }),
      { numRuns: 60 },
    )
  })

  test('open of a file of the first format makes room for the log', async () => {
    await withPath(async (path) => {
      const db = openDatabase(path)
      const engine = new SqliteEngine(db)
      const { id } = await created(engine)
      await publish(engine, id, [item('a')])
      db.exec('DROP TABLE log; PRAGMA user_version = 1')
      const document = await documentOf(engine, id)
      db.close()
      const found = SqliteEngine.open(path)
      expect(await documentOf(found, id)).toEqual(document)
      await publish(found, id, [progress(1)])
      expect(await documentOf(found, id)).toMatchObject({ version: 3, progress: { done: 1 } })
      await found.close()
    })
  })
})
