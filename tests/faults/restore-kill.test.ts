import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteEngine } from '../../server/engines/sqlite/engine.ts'
import { backUp } from '../../server/engines/sqlite/file/backup.ts'
import type { JobEvent } from '../../shared/document/events.ts'
import { batchOf, documentOf, newJob, publish, taken } from '../conformance/fixtures.ts'
import { missing } from './power-cut/recording.ts'

const ID = 'killed'
const BACKED_UP = 4
const LOST = 9

/** Calls that change what lies on the disk. Restoring makes fewer than this of each. */
const CALLS = ['rename', 'unlink', 'fsync,fdatasync', 'ftruncate', 'pwrite64']
const MOST = 40

const item = (id: number): JobEvent => ({ type: 'item', id: `${id}` })

let folder = ''
const store = () => join(folder, 'store')
const copy = () => join(folder, 'copy.db')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'milepost-restore-'))
  const path = join(folder, 'running', 'jobs.db')
  const engine = await SqliteEngine.open(path)
  await engine.create(newJob({ id: ID }))
  for (let id = 0; id < BACKED_UP; id++) await publish(engine, ID, [item(id)])
  backUp(path, copy())
  for (let id = 0; id < LOST; id++) await publish(engine, ID, [item(BACKED_UP + id)])
  // As a killed server leaves it: the newer events are in the log.
  cpSync(join(folder, 'running'), store(), { recursive: true, filter: (name) => !name.endsWith('-shm') })
  await engine.close()
})

afterAll(() => rmSync(folder, { recursive: true }))

/** Kills a restore before its nth call of a kind. @returns the exit code of strace, 0 when there was no nth call */
function killedRestore(path: string, call: string, nth: number): number {
  const script = `(await import('${import.meta.dir}/../../server/engines/sqlite/file/backup.ts')).restore('${path}', '${copy()}')`
  const trace = ['-f', '-qq', '-o', '/dev/null', `--trace=${call}`, `--inject=${call}:signal=SIGKILL:when=${nth}`]
  return Bun.spawnSync(['strace', ...trace, process.execPath, '-e', script]).exitCode
}

if (missing) test.skip(`restore that is killed (${missing})`, () => {})
else
  test.each(CALLS)(
    'restore that is killed before any %s leaves the old database or the new one, whole',
    async (call) => {
      const found = new Set<number>()
      for (let nth = 1; ; nth++) {
        expect(nth).toBeLessThan(MOST)
        const work = join(folder, 'work')
        cpSync(store(), work, { recursive: true })
        const path = join(work, 'jobs.db')
        const exit = killedRestore(path, call, nth)
        const engine = await SqliteEngine.open(path)
        const { version, items } = await documentOf(engine, ID)
        expect([1 + BACKED_UP, 1 + BACKED_UP + LOST]).toContain(version)
        expect(items).toHaveLength(version - 1)
        found.add(version)
        expect(taken(await engine.apply(ID, batchOf([item(99)]))).version).toBe(version + 1)
        await engine.close()
        expect(readdirSync(work).sort()).toEqual(['jobs.db', 'jobs.db-lock', 'jobs.db-reserve'])
        rmSync(work, { recursive: true })
        if (exit === 0) break
      }
      expect([...found].sort()).toContain(1 + BACKED_UP)
    },
    120_000,
  )
