import { describe, expect, spyOn, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { DAMAGED, isDamage } from '../../../../../server/engines/sqlite/plan.ts'
import { ProblemError, problems } from '../../../../../server/errors.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { batchOf, newJob, publish } from '../../../../conformance/fixtures.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'
import { withPath, withWriter } from './sqlite-fixtures.ts'

const PAGE = 4_096

/** Garbles pages of a file, counted from 0, as a disk does. In a process of its own: closing the file here would release SQLite's locks. */
function garble(path: string, pages: number[]): void {
  const code = `
    const { closeSync, fsyncSync, openSync, statSync, utimesSync, writeSync } = require('node:fs')
    const { atime, mtime } = statSync(${JSON.stringify(path)})
    const file = openSync(${JSON.stringify(path)}, 'r+')
    for (const page of ${JSON.stringify(pages)}) writeSync(file, Buffer.alloc(200, 0x77), 0, 200, page * ${PAGE})
    fsyncSync(file); closeSync(file); utimesSync(${JSON.stringify(path)}, atime, mtime)`
  expect(pages).not.toEqual([])
  expect(Bun.spawnSync([process.execPath, '-e', code]).exitCode).toBe(0)
}

/** The first page of a table or an index. */
function rootOf(path: string, name: string): number {
  const db = new DatabaseSync(path, { readOnly: true })
  const { rootpage } = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name) as { rootpage: number }
  db.close()
  return rootpage - 1
}

/** The pages with a text. */
function pagesWith(path: string, text: string): number[] {
  const bytes = readFileSync(path)
  const pages = new Set<number>()
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) pages.add(Math.floor(at / PAGE))
  return [...pages]
}

/** The problem of a request, `nothing` without one. */
const refusal = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return Object(await work()).refused ?? 'nothing'
  } catch (error) {
    return error instanceof ProblemError ? error.problem : error
  }
}

/** Whether everything is refused with the sentence, and the log has it once. */
async function expectDamage(engine: SqliteEngine, path: string, log: { mock: { calls: unknown[][] } }): Promise<void> {
  for (const work of [
    () => engine.check(),
    () => engine.apply('job', batchOf([{ type: 'progress', done: 1 }])),
    () => engine.read('job'),
    () => engine.notes.get('n/0001'),
    () => engine.notes.put({ key: 'n/1', text: '' }, 1, 0),
    () => engine.due({ list: 'end', before: Number.MAX_SAFE_INTEGER, limit: 10 }),
  ])
    expect(await refusal(work)).toEqual(problems.unavailable(DAMAGED))
  expect(log.mock.calls).toEqual([[`${path}: ${DAMAGED}`]])
}

interface Case {
  name: string
  /** What is garbled. */
  pages: (path: string) => number[]
  /** What finds it. */
  work: (engine: SqliteEngine, clock: VirtualClock) => Promise<unknown>
  /** Nobody waits for it. */
  isSilent?: boolean
}

const cases: Case[] = [
  {
    name: 'reading rows',
    pages: (path) => pagesWith(path, 'x'.repeat(100)),
    work: (engine) => engine.changesSince('job', undefined, { view: 'all', maxBytes: 10_000_000 }),
  },
  {
    name: 'deciding a batch',
    pages: (path) => [rootOf(path, 'rows_by_name')],
    work: (engine) => engine.apply('job', batchOf([{ type: 'item', id: '1.1', status: 'succeeded' }])),
  },
  {
    name: 'taking a note',
    pages: (path) => pagesWith(path, 'n/0010"y'),
    work: (engine) => engine.notes.take('n/0010'),
  },
  {
    name: 'reading a note',
    pages: (path) => pagesWith(path, 'n/0010"y'),
    work: (engine) => engine.notes.get('n/0010'),
  },
  {
    name: 'listing notes',
    pages: (path) => pagesWith(path, 'n/0010"y'),
    work: (engine) => engine.notes.list({ prefix: 'n/', limit: 1_000 }),
  },
  {
    name: 'looking for due jobs',
    pages: (path) => [rootOf(path, 'jobs_due')],
    work: (engine) => engine.due({ list: 'end', before: Number.MAX_SAFE_INTEGER, limit: 10 }),
  },
  {
    name: 'a readiness check',
    pages: (path) => [rootOf(path, 'sqlite_autoindex_jobs_1')],
    work: (engine) => engine.check(),
  },
  {
    name: 'deleting the rows of removed jobs',
    pages: (path) => [rootOf(path, 'trash')],
    work: (_engine, clock) => clock.advance(1_000),
    isSilent: true,
  },
]

describe('a damaged page', () => {
  test.each(cases)(
    'a damaged page found while $name stops everything with a sentence',
    async ({ pages, work, isSilent }) => {
      await withPath(async (path) => {
        const before = await SqliteEngine.open(path, { clock: new VirtualClock() })
        await before.create(newJob({ id: 'job' }))
        const numbers = Array.from({ length: 200 }, (_, index) => index)
        const items = numbers.map((id): JobEvent => ({ type: 'item', id: `1.${id}`, message: 'x'.repeat(500) }))
        await publish(before, 'job', items)
        const put = (index: number) =>
          before.notes.put({ key: `n/${`${index}`.padStart(4, '0')}`, text: 'y'.repeat(500) }, 1, 0)
        await Promise.all(numbers.map(put))
        await before.close()
        const clock = new VirtualClock()
        const engine = await SqliteEngine.open(path, { clock })
        const log = spyOn(console, 'error').mockImplementation(() => {})
        try {
          garble(path, pages(path))
          expect(await refusal(() => work(engine, clock))).toEqual(isSilent ? 'nothing' : problems.unavailable(DAMAGED))
          await expectDamage(engine, path, log)
        } finally {
          log.mockRestore()
          await engine.close()
        }
      })
    },
  )

  test('a damaged page found by the writer stops everything with a sentence, also after a repair is tried', () =>
    withWriter(async ({ engine, writer, db, path }) => {
      await engine.create(newJob({ id: 'job' }))
      db.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory')
      const log = spyOn(console, 'error').mockImplementation(() => {})
      try {
        garble(path, [rootOf(path, 'jobs_all_by_status')])
        const start = () => engine.apply('job', batchOf([{ type: 'status', status: 'running' }]))
        expect(await refusal(start)).toEqual(problems.unavailable(DAMAGED))
        expect([writer.isWell, writer.recover()]).toEqual([true, undefined])
        expect(writer.check()).toEqual({ failed: DAMAGED, mustKeepWal: false })
        expect(writer.commit({ statements: '', frees: true })).toEqual({ failed: DAMAGED })
        await expectDamage(engine, path, log)
      } finally {
        log.mockRestore()
      }
    }))
})

describe('isDamage', () => {
  const failure = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      return error
    }
    return undefined
  }

  test("isDamage knows SQLite's errors of damage, and no others", () =>
    withPath(async (path) => {
      writeFileSync(path, 'text '.repeat(PAGE))
      const foreign = new DatabaseSync(path)
      expect(isDamage(failure(() => foreign.prepare('SELECT * FROM sqlite_schema').all()))).toBe(true)
      foreign.close()
      let db = new DatabaseSync(`${path}.db`)
      db.exec('CREATE TABLE jobs (id)')
      expect(isDamage(failure(() => db.prepare('SELECT * FROM missing').all()))).toBe(false)
      expect(isDamage(failure(() => db.prepare(`SELECT json('{')`).all()))).toBe(false)
      db.close()
      writeFileSync(`${path}.db`, readFileSync(`${path}.db`, 'latin1').replace('CREATE', 'CREATX'), 'latin1')
      db = new DatabaseSync(`${path}.db`)
      expect(isDamage(failure(() => db.prepare('SELECT * FROM jobs').all()))).toBe(true)
      db.close()
    }))
})
