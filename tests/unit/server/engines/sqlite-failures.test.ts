import { describe, expect, test } from 'bun:test'
import type { DatabaseSync } from 'node:sqlite'
import type { Engine } from '../../../../server/engine.ts'
import { ProblemError } from '../../../../server/errors.ts'
import type { JobEvent } from '../../../../shared/events.ts'
import {
  batchOf,
  created,
  documentOf,
  newJob,
  publish,
  refusal,
  taken,
  WakeLog,
} from '../../../conformance/fixtures.ts'
import { withEngine } from './sqlite-fixtures.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const log = (message: string): JobEvent => ({ type: 'log', message })

describe('SqliteEngine when the disk is full', () => {
  /** Fills what is left with one job's items, until a publish is refused. */
  async function fill(engine: Engine, db: DatabaseSync, id: string) {
    const pages = Number(Object.values(db.prepare('PRAGMA page_count').get() ?? {})[0])
    db.exec(`PRAGMA max_page_count = ${pages + 3}`)
    for (let number = 0; ; number++) {
      const before = await documentOf(engine, id)
      const applied = await engine.apply(id, batchOf([{ type: 'item', id: `${number}`, message: 'x'.repeat(2_000) }]))
      if ('refused' in applied) return { before, applied }
    }
  }

  test('apply answers 503 and leaves the document as it was; later it goes on from there', async () => {
    await withEngine(async ({ engine, db }) => {
      const { id } = await created(engine)
      const { before, applied } = await fill(engine, db, id)
      expect(applied).toEqual({
        refused: {
          status: 503,
          title: 'Unavailable',
          detail: 'The store does not answer. Nothing of the request was applied; try again.',
        },
      })
      expect(before.items.length).toBeGreaterThan(0)
      expect(await documentOf(engine, id)).toEqual(before)
      db.exec('PRAGMA max_page_count = 1000000')
      const header = taken(await engine.apply(id, batchOf([{ type: 'item', id: '0', message: 'short' }])))
      expect(header.version).toBe(before.version + 1)
      expect((await documentOf(engine, id)).items[0]).toMatchObject({ id: '0', message: 'short' })
    })
  })

  test('a commit that fails refuses every request of its group, wakes nobody, and changes nothing', async () => {
    await withEngine(async ({ engine, db }) => {
      const [big, small, gone] = [await created(engine), await created(engine), await created(engine)]
      await publish(engine, small.id, [{ type: 'item', id: 'a', label: 'A' }])
      await fill(engine, db, big.id)
      const before = await Promise.all([big, small, gone].map(({ id }) => documentOf(engine, id)))
      const wakes = new WakeLog()
      await engine.watch({ owner: big.owner }, wakes.wake)
      const born = newJob()
      const key = { key: 'k', digest: 'd' }
      const answers = await Promise.allSettled([
        engine.apply(small.id, batchOf([progress(1), { type: 'item', id: 'b', label: 'B' }], { key })),
        engine.create(born),
        engine.remove(gone.id),
        engine.check(),
        engine.apply(big.id, batchOf([{ type: 'item', id: 'large', message: 'x'.repeat(30_000) }])),
        engine.apply(small.id, batchOf([progress(2)])),
      ])
      const unavailable = { status: 503, fields: [] }
      expect(
        answers.map((answer) =>
          answer.status === 'fulfilled' && typeof answer.value === 'object' ? refusal(answer.value) : 'rejected',
        ),
      ).toEqual([unavailable, unavailable, 'rejected', 'rejected', unavailable, unavailable])
      const [, , removed, checked] = answers as PromiseRejectedResult[]
      expect(removed?.reason).toBeInstanceOf(ProblemError)
      expect(removed?.reason.problem.status).toBe(503)
      expect(checked?.reason.message).toContain('full')
      expect(wakes.changes).toEqual([])
      expect(await engine.read(born.header.id)).toBeUndefined()
      expect(await Promise.all([big, small, gone].map(({ id }) => documentOf(engine, id)))).toEqual(before)

      db.exec('PRAGMA max_page_count = 1000000')
      expect(await engine.check()).toBeUndefined()
      const again = await engine.apply(small.id, batchOf([{ type: 'item', id: 'b', label: 'B' }], { key }))
      expect(again).toMatchObject({ repeat: false, header: { version: 3 } })
      expect((await documentOf(engine, small.id)).items.map(({ id, index }) => [id, index])).toEqual([
        ['a', 0],
        ['b', 1],
      ])
    })
  })
})

describe('SqliteEngine when a commit fails', () => {
  /** Makes the next commits fail, before or after they are done, until it is called again. */
  function breakCommits(db: DatabaseSync, when: 'before' | 'after'): () => void {
    const exec = db.exec.bind(db)
    db.exec = (sql) => {
      if (sql !== 'COMMIT' || when === 'after') exec(sql)
      if (sql === 'COMMIT') throw new Error('disk I/O error')
    }
    return () => {
      db.exec = exec
    }
  }

  test('apply answers 503, and the next one goes on from before', async () => {
    await withEngine(async ({ engine, db }) => {
      const { id } = await created(engine)
      const mend = breakCommits(db, 'before')
      for (const message of ['first', 'second'])
        expect(refusal(await engine.apply(id, batchOf([log(message)])))?.status).toBe(503)
      mend()
      expect(taken(await engine.apply(id, batchOf([log('third')]))).version).toBe(2)
      expect((await documentOf(engine, id)).logs.map(({ message }) => message)).toEqual(['third'])
    })
  })

  test('apply goes on from what the file has, should the commit have been one after all', async () => {
    await withEngine(async ({ engine, db }) => {
      const { id } = await created(engine)
      const mend = breakCommits(db, 'after')
      expect(refusal(await engine.apply(id, batchOf([log('first')])))?.status).toBe(503)
      mend()
      expect((await engine.read(id))?.header.version).toBe(2)
      expect(taken(await engine.apply(id, batchOf([log('second')]))).version).toBe(3)
      expect((await documentOf(engine, id)).logs.map(({ message }) => message)).toEqual(['first', 'second'])
    })
  })
})
