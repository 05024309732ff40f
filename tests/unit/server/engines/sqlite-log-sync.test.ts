import { describe, expect, test } from 'bun:test'
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { SqliteEngine } from '../../../../server/engines/sqlite.ts'
import { LogSync } from '../../../../server/engines/sqlite-log-sync.ts'
import { openDatabase } from '../../../../server/engines/sqlite-open.ts'
import type { JobHeader } from '../../../../shared/job.ts'
import { batchOf, created, newJob, refusal, taken, WakeLog } from '../../../conformance/fixtures.ts'
import { settle } from '../../../virtual-clock.ts'
import { withPath } from './sqlite-fixtures.ts'

const whole = { view: 'all', maxBytes: 100_000 } as const

/** A disk that answers when it is told to. */
class Disk {
  waiting: { resolve: () => void; reject: (reason: Error) => void }[] = []
  isSlow = false

  readonly log = {
    sync: () =>
      this.isSlow
        ? new Promise<void>((resolve, reject) => {
            this.waiting.push({ resolve, reject })
          })
        : Promise.resolve(),
    close: () => {},
  }
}

async function withDisk(run: (opened: { engine: SqliteEngine; disk: Disk; job: JobHeader }) => Promise<void>) {
  await withPath(async (path) => {
    const disk = new Disk()
    const engine = SqliteEngine.open(path, { log: disk.log })
    const job = await created(engine)
    disk.isSlow = true
    await run({ engine, disk, job })
    disk.isSlow = false
    await engine.close()
  })
}

async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await settle()
}

describe('SqliteEngine while the disk has not what was committed', () => {
  test('nothing is answered, told or read, and all of it is once the disk has it', async () => {
    await withDisk(async ({ engine, disk, job: { id, owner } }) => {
      const wakes = new WakeLog()
      await engine.watch({ job: id }, wakes.wake)
      const seen: string[] = []
      const note = (name: string) => () => void seen.push(name)
      const applied = engine.apply(id, batchOf([{ type: 'progress', done: 1 }]))
      const acknowledged = applied.then(note('applied'))
      await turns()
      expect(disk.waiting.length).toBe(1)
      const [read, changes, list] = [
        engine.read(id),
        engine.changesSince(id, undefined, whole),
        engine.list({ owner, limit: 1 }),
      ]
      const all = [acknowledged, read.then(note('read')), changes.then(note('changes')), list.then(note('list'))]
      await turns()
      expect([seen, wakes.changes]).toEqual([[], []])
      disk.waiting.shift()?.resolve()
      await Promise.all(all)
      expect(seen.sort()).toEqual(['applied', 'changes', 'list', 'read'])
      expect(taken(await applied).version).toBe(2)
      expect((await read)?.header.version).toBe(2)
      expect((await changes)?.to).toBe(2)
      expect((await list).rows.map(({ version }) => version)).toEqual([2])
      expect(wakes.changes.map(({ to }) => to)).toEqual([2])
    })
  })

  test('others are taken meanwhile, and committed together', async () => {
    await withDisk(async ({ engine, disk, job: { id } }) => {
      const first = engine.apply(id, batchOf([{ type: 'progress', done: 1 }]))
      await turns()
      const others = [2, 3].map((done) => engine.apply(id, batchOf([{ type: 'progress', done }])))
      await turns()
      expect(disk.waiting.length).toBe(1)
      disk.isSlow = false
      disk.waiting.shift()?.resolve()
      expect((await Promise.all([first, ...others])).map((applied) => taken(applied).version)).toEqual([2, 3, 4])
    })
  })

  test('a sync that fails refuses all of its group and who reads meanwhile; the next goes on from what the file has', async () => {
    await withDisk(async ({ engine, disk, job: { id, owner } }) => {
      const wakes = new WakeLog()
      await engine.watch({ owner }, wakes.wake)
      const other = newJob()
      const answers = [engine.apply(id, batchOf([{ type: 'progress', done: 1 }])), engine.create(other)]
      await turns()
      const read = engine.read(id)
      disk.waiting.shift()?.reject(new Error('EIO'))
      expect((await Promise.all(answers)).map((answer) => refusal(answer)?.status)).toEqual([503, 503])
      await expect(read).rejects.toMatchObject({ problem: { status: 503 } })
      expect(wakes.changes).toEqual([])
      disk.isSlow = false
      expect(taken(await engine.apply(id, batchOf([{ type: 'progress', done: 2 }]))).version).toBe(3)
      expect(wakes.changes.map(({ from, to }) => [from, to])).toEqual([[2, 3]])
    })
  })
})

describe('LogSync', () => {
  const insert = (id: number) => `INSERT INTO heads VALUES (${id}, '{}')`

  /** The descriptors that are open on a file. */
  function descriptorsOf(path: string): number[] {
    const { ino } = statSync(path)
    return Array.from({ length: 256 }, (_, descriptor) => descriptor).filter((descriptor) => {
      try {
        return fstatSync(descriptor).ino === ino
      } catch {
        return false
      }
    })
  }

  test('sync leaves what is committed in the log', async () => {
    await withPath(async (path) => {
      const db = openDatabase(path)
      const log = new LogSync(db)
      db.exec(insert(1))
      await log.sync()
      expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
      log.close()
      db.close()
    })
  })

  test('sync that fails rejects, and the next moves the log into the file, after which the log is trusted again', async () => {
    await withPath(async (path) => {
      const db = openDatabase(path)
      const log = new LogSync(db)
      db.exec(insert(1))
      const before = descriptorsOf(`${path}-wal`)
      await log.sync()
      const descriptor = descriptorsOf(`${path}-wal`).find((one) => !before.includes(one)) ?? -1
      // In its place something that can't be synced.
      closeSync(descriptor)
      expect(openSync('/dev/null', 'r+')).toBe(descriptor)
      db.exec(insert(2))
      await expect(log.sync()).rejects.toThrow()
      expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
      await log.sync()
      expect(statSync(`${path}-wal`).size).toBe(0)
      db.exec(insert(3))
      await log.sync()
      expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
      log.close()
      db.close()
    })
  })
})
