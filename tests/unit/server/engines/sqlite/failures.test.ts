import { describe, expect, test } from 'bun:test'
import { mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { ProblemError, problems } from '../../../../../server/errors.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
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
import { withDisk, withEngine, withPath, withWriter } from './sqlite-fixtures.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const log = (message: string): JobEvent => ({ type: 'log', message })
const item = (id: string, size: number): JobEvent => ({ type: 'item', id, message: 'x'.repeat(size) })

const messageOf = (error: Error) => error.message

const FULL = { status: 507, fields: [] }
const UNAVAILABLE = { status: 503, fields: [] }

/** Runs with an engine on a disk of its own, of so many bytes. */
const withEngineOnDisk = (bytes: number, run: (engine: SqliteEngine, folder: string) => Promise<void>) =>
  withDisk(bytes, async (folder) => {
    const engine = await SqliteEngine.open(join(folder, 'milepost.db'))
    await run(engine, folder)
    await engine.close()
  })

/** Creates a job, again and again while there is no room: what was removed is deleted in the background. */
async function createdOnceThereIsRoom(engine: SqliteEngine, first?: () => Promise<boolean>): Promise<string> {
  if (first) expect(await first()).toBe(true)
  for (;;) {
    const job = newJob()
    if (!refusal(await engine.create(job))) return job.header.id
    await Bun.sleep(20)
  }
}

/** Publishes items of 8 KB until one is refused. @returns the refusal, and how many were taken */
async function fill(engine: SqliteEngine, id: string): Promise<{ refused: ReturnType<typeof refusal>; taken: number }> {
  for (let number = 0; ; number++) {
    const refused = refusal(await engine.apply(id, batchOf([item(`${number}`, 8_000)])))
    if (refused) return { refused, taken: number }
  }
}

describe('SqliteEngine when the disk is full', () => {
  test('apply and create answer 507; reads and removals go on, and what they free is used', () =>
    withEngineOnDisk(24 * 1024 * 1024, async (engine) => {
      const [big, small] = [await created(engine), await created(engine)]
      const full = await fill(engine, big.id)
      expect(full.refused).toEqual(FULL)
      expect(full.taken).toBeGreaterThan(500)
      const before = await documentOf(engine, big.id)
      expect(before.items).toHaveLength(full.taken)
      expect(refusal(await engine.apply(small.id, batchOf([item('a', 8_000)])))).toEqual(FULL)
      expect(refusal(await engine.create(newJob()))).toEqual(FULL)
      expect(await documentOf(engine, big.id)).toEqual(before)
      expect(await engine.list({ owner: big.owner, limit: 10 })).toMatchObject({ rows: { length: 2 } })
      expect(await engine.check()).toBeUndefined()

      expect(await engine.remove(big.id)).toBe(true)
      const again = await createdOnceThereIsRoom(engine)
      let used = 0
      while (used < full.taken / 2) used += (await fill(engine, again)).taken
      expect((await documentOf(engine, small.id)).items).toEqual([])
    }))

  test('remove is never refused, however often the disk is filled again', () =>
    withEngineOnDisk(24 * 1024 * 1024, async (engine) => {
      let last = await createdOnceThereIsRoom(engine)
      for (let round = 0; round < 4; round++) {
        await fill(engine, last)
        const next = round === 0 ? last : await createdOnceThereIsRoom(engine, () => engine.remove(last))
        if (next !== last) expect(await engine.read(last)).toBeUndefined()
        last = next
      }
      expect(await engine.remove(last)).toBe(true)
    }))

  test('open goes on with a disk that has been full', () =>
    withEngineOnDisk(16 * 1024 * 1024, async (engine, folder) => {
      const { id } = await created(engine)
      await fill(engine, id)
      const before = await documentOf(engine, id)
      await engine.close()
      // What is left of the room, to the last byte.
      try {
        writeFileSync(join(folder, 'other'), new Uint8Array(16 * 1024 * 1024))
      } catch {}
      const again = await SqliteEngine.open(join(folder, 'milepost.db'))
      expect(await documentOf(again, id)).toEqual(before)
      expect(await again.remove(id)).toBe(true)
      await again.close()
    }))

  test('a group takes the removals that are in it, and refuses the rest', async () => {
    await withWriter(async ({ engine, db }) => {
      const [small, gone] = [await created(engine), await created(engine)]
      await publish(engine, small.id, [{ type: 'item', id: 'a', label: 'A' }])
      const pages = Number(Object.values(db.prepare('PRAGMA page_count').get() ?? {})[0])
      db.exec(`PRAGMA max_page_count = ${pages}`)
      const before = await documentOf(engine, small.id)
      const wakes = new WakeLog()
      await engine.watch({ owner: small.owner }, wakes.wake)
      const born = newJob()
      const key = { key: 'k', digest: 'd' }
      const [published, made, removed, checked, last] = await Promise.all([
        engine.apply(small.id, batchOf([progress(1), item('b', 100)], { key })),
        engine.create(born),
        engine.remove(gone.id),
        engine.check(),
        engine.apply(small.id, batchOf([item('large', 30_000)])),
      ])
      expect([refusal(published), refusal(made), removed, checked, refusal(last)]).toEqual([
        FULL,
        FULL,
        true,
        undefined,
        FULL,
      ])
      await new Promise((resolve) => setImmediate(resolve))
      expect(wakes.changes).toMatchObject([{ id: gone.id, removed: true }])
      expect(await engine.read(born.header.id)).toBeUndefined()
      expect(await engine.read(gone.id)).toBeUndefined()
      expect(await documentOf(engine, small.id)).toEqual(before)

      db.exec('PRAGMA max_page_count = 1000000')
      const again = await engine.apply(small.id, batchOf([{ type: 'item', id: 'b', label: 'B' }], { key }))
      expect(again).toMatchObject({ repeat: false, header: { version: 3 } })
    })
  })
})

describe('SqliteEngine when a commit fails', () => {
  /** Makes commits fail, before or after they are done, until it is called again. */
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

  test('apply answers 503 with what to do, and the next one goes on from before', async () => {
    await withWriter(async ({ engine, db }) => {
      const { id } = await created(engine)
      const mend = breakCommits(db, 'before')
      for (const message of ['first', 'second'])
        expect(await engine.apply(id, batchOf([log(message)]))).toEqual({
          refused: {
            type: 'urn:milepost:unavailable',
            status: 503,
            title: 'Unavailable',
            detail:
              'The store failed, and the outcome is unknown. Send the request again, with the same Idempotency-Key if it had one.',
          },
        })
      mend()
      expect(taken(await engine.apply(id, batchOf([log('third')]))).version).toBe(2)
      expect((await documentOf(engine, id)).logs.map(({ message }) => message)).toEqual(['third'])
    })
  })

  test('apply with the key of a batch that failed applies it, and does not take it for a repeat', async () => {
    await withWriter(async ({ engine, db }) => {
      const { id } = await created(engine)
      const batch = batchOf([log('once')], { key: { key: 'k', digest: 'd' } })
      const mend = breakCommits(db, 'before')
      expect(refusal(await engine.apply(id, batch))).toEqual(UNAVAILABLE)
      mend()
      expect(await engine.apply(id, batch)).toMatchObject({ repeat: false, header: { version: 2 } })
      expect(await engine.apply(id, batch)).toMatchObject({ repeat: true, header: { version: 2 } })
    })
  })

  test('apply goes on from what the file has, should the commit have been one after all', async () => {
    await withWriter(async ({ engine, db }) => {
      const { id } = await created(engine)
      const mend = breakCommits(db, 'after')
      expect(refusal(await engine.apply(id, batchOf([log('first')])))).toEqual(UNAVAILABLE)
      mend()
      expect(taken(await engine.apply(id, batchOf([log('second')]))).version).toBe(3)
      expect((await documentOf(engine, id)).logs.map(({ message }) => message)).toEqual(['first', 'second'])
    })
  })

  test('a commit that fails refuses every request of its group, and wakes nobody', async () => {
    await withWriter(async ({ engine, db }) => {
      const [one, gone] = [await created(engine), await created(engine)]
      const wakes = new WakeLog()
      await engine.watch({ owner: one.owner }, wakes.wake)
      const mend = breakCommits(db, 'before')
      const answers = await Promise.allSettled([
        engine.apply(one.id, batchOf([progress(1)])),
        engine.create(newJob()),
        engine.remove(gone.id),
      ])
      expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason))).toMatchObject([
        { refused: { status: 503 } },
        { refused: { status: 503 } },
        { problem: { status: 503 } },
      ])
      expect((answers[2] as PromiseRejectedResult).reason).toBeInstanceOf(ProblemError)
      await new Promise((resolve) => setImmediate(resolve))
      expect(wakes.changes).toEqual([])
      mend()
      expect((await engine.read(gone.id))?.header.version).toBe(1)
    })
  })

  test('check fails until a commit succeeds, which the writer tries by itself', async () => {
    await withWriter(async ({ engine, writer, db }) => {
      const { id } = await created(engine)
      expect(writer.recover()).toBeUndefined()
      const mend = breakCommits(db, 'before')
      await engine.apply(id, batchOf([progress(1)]))
      expect(await engine.check().catch(messageOf)).toContain('disk I/O error')
      expect(writer.recover()).toBe(1_000)
      expect(await engine.check().catch(messageOf)).toContain('disk I/O error')
      mend()
      expect(writer.recover()).toBeUndefined()
      expect(await engine.check()).toBeUndefined()
    })
  })
})

describe('SqliteEngine when its file is gone', () => {
  const MOVED =
    'A file of the database was moved, deleted, replaced or truncated while the server had it open. Put it back, or start the server again.'

  const other = (path: string) => {
    writeFileSync(`${path}.other`, '')
    return `${path}.other`
  }

  for (const [what, act] of [
    ['deleted', (path: string) => rmSync(path)],
    ['replaced', (path: string) => renameSync(other(path), path)],
    ['in a folder that was deleted', (path: string) => rmSync(dirname(path), { recursive: true })],
    ['without its log', (path: string) => rmSync(`${path}-wal`)],
    ['without its lock', (path: string) => rmSync(`${path}-lock`)],
    ['without what its log held', (path: string) => truncateSync(`${path}-wal`)],
    ['cut short', (path: string) => truncateSync(path)],
  ] as const)
    test(`apply and check fail while the file is ${what}`, () =>
      withPath(async (path) => {
        const engine = await SqliteEngine.open(path)
        const { id } = await created(engine)
        const key = { key: 'k', digest: 'd' }
        taken(await engine.apply(id, batchOf([progress(1)], { key })))
        act(path)
        const refused = { refused: problems.unavailable(MOVED) }
        expect(await engine.apply(id, batchOf([progress(2)]))).toEqual(refused)
        expect(await engine.apply(id, batchOf([progress(1)], { key }))).toEqual(refused)
        expect(await engine.check().catch(messageOf)).toContain(MOVED)
        await engine.close().catch(() => {})
        mkdirSync(dirname(path), { recursive: true })
      }))

  test('apply goes on when another program has moved the log into the file', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      const other = new DatabaseSync(path)
      other.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      other.close()
      expect(statSync(`${path}-wal`).size).toBe(0)
      taken(await engine.apply(id, batchOf([progress(1)])))
      expect(await engine.check()).toBeUndefined()
      expect((await documentOf(engine, id)).version).toBe(2)
    })
  })

  test('apply notices a log that was deleted before the first publish', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      rmSync(`${path}-wal`)
      expect(refusal(await engine.create(newJob()))).toEqual(UNAVAILABLE)
      await engine.close().catch(() => {})
    }))

  test('apply that is refused for it has changed nothing', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      renameSync(path, `${path}.away`)
      await engine.apply(id, batchOf([progress(1)]))
      expect((await documentOf(engine, id)).version).toBe(1)
      renameSync(`${path}.away`, path)
      expect((await documentOf(engine, id)).version).toBe(1)
    })
  })

  test('apply goes on once the file is back', async () => {
    await withEngine(async ({ engine, path }) => {
      const { id } = await created(engine)
      renameSync(path, `${path}.away`)
      expect(refusal(await engine.apply(id, batchOf([progress(1)])))).toEqual(UNAVAILABLE)
      renameSync(`${path}.away`, path)
      taken(await engine.apply(id, batchOf([progress(2)])))
      expect(await engine.check()).toBeUndefined()
    })
  })
})
