import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { SqliteEngine } from '../../../../../../server/engines/sqlite/engine.ts'
import { backUp, restore } from '../../../../../../server/engines/sqlite/file/backup.ts'
import type { JobEvent } from '../../../../../../shared/document/events.ts'
import { batchOf, created, documentOf, publish, taken } from '../../../../../conformance/fixtures.ts'
import { withDisk, withPath } from '../sqlite-fixtures.ts'

const items = (label: string): JobEvent[] =>
  Array.from({ length: 500 }, (_, index): JobEvent => ({ type: 'item', id: `${index}`, label }))

const sentenceOf = (act: () => void) => {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  return 'was done'
}

/** Runs with an engine on a file that has one job. */
const withJob = (run: (opened: { path: string; engine: SqliteEngine; id: string }) => Promise<void>) =>
  withPath(async (path) => {
    const engine = await SqliteEngine.open(path)
    const { id } = await created(engine)
    await run({ path, engine, id })
  })

describe('backUp', () => {
  test('backUp copies what is committed while the engine commits more', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      const publishing = Promise.all(
        Array.from({ length: 50 }, (_, index) => engine.apply(id, batchOf([{ type: 'progress', done: index }]))),
      )
      backUp(path, `${path}.copy`)
      for (const applied of await publishing) taken(applied)
      expect(statSync(`${path}.copy`).mode & 0o777).toBe(0o600)
      await engine.close()
      const copy = await SqliteEngine.open(`${path}.copy`)
      const { version, items: rows } = await documentOf(copy, id)
      expect(version).toBeGreaterThanOrEqual(501)
      expect(rows).toHaveLength(500)
      await copy.close()
    }))

  test('sqlite3 makes a copy as well, while the engine is open', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      const made = Bun.spawnSync(['sqlite3', path, `.backup '${path}.copy'`])
      expect(made.stderr.toString()).toBe('')
      taken(await engine.apply(id, batchOf([{ type: 'progress', done: 1 }])))
      await engine.close()
      const copy = await SqliteEngine.open(`${path}.copy`)
      expect((await documentOf(copy, id)).version).toBe(501)
      await copy.close()
    }))

  test('backUp writes over nothing', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      writeFileSync(`${path}.copy`, 'mine')
      expect(sentenceOf(() => backUp(path, `${path}.copy`))).toBe(`${path}.copy already exists: name a new file.`)
      expect(readFileSync(`${path}.copy`, 'utf8')).toBe('mine')
      expect(sentenceOf(() => backUp(`${path}.none`, `${path}.two`))).toContain(`${path}.none does not exist`)
      await engine.close()
    }))

  test('backUp leaves a link where the copy should be as it is', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      symlinkSync('nowhere', `${path}.copy`)
      expect(sentenceOf(() => backUp(path, `${path}.copy`))).toBe(`${path}.copy already exists: name a new file.`)
      expect(readlinkSync(`${path}.copy`)).toBe('nowhere')
      await engine.close()
    }))

  test('backUp names the file that is at fault, and leaves no part of a copy', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      await engine.close()
      expect(sentenceOf(() => backUp(path, `${path}/copy`))).toStartWith(`${path}/copy can't be opened (ENOTDIR`)
      await withDisk(16_384, async (folder) => {
        expect(sentenceOf(() => backUp(path, `${folder}/copy`))).toBe(
          `${folder}/copy can't be written because the disk is full: free some space, then try again.`,
        )
        expect(readdirSync(folder)).toEqual([])
      })
      writeFileSync(path, readFileSync(path).fill(0x77, 8_192))
      expect(sentenceOf(() => backUp(path, `${path}.copy`))).toStartWith(`${path} is damaged (database disk image`)
      expect(existsSync(`${path}.copy`)).toBe(false)
    }))

  test('backUp refuses a database that was replaced, while the write-ahead log of the one before is beside it', () =>
    withJob(async ({ path, engine, id }) => {
      backUp(path, `${path}.copy`)
      await publish(engine, id, items('first'))
      copyFileSync(`${path}.copy`, `${path}.new`)
      renameSync(`${path}.new`, path)
      expect(await engine.check().catch(() => 'fails')).toBe('fails')
      expect(sentenceOf(() => backUp(path, `${path}.two`))).toStartWith(
        `${path} was replaced while a server had it open, and ${path}-wal belongs to the file before.`,
      )
      expect(existsSync(`${path}.two`)).toBe(false)
      await engine.close()
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      backUp(path, `${path}.two`)
    }))
})

describe('backUp after an interrupted restore', () => {
  test('backUp refuses a database whose replacement is not finished, and the next start finishes it', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      backUp(path, `${path}.copy`)
      await publish(engine, id, items('second'))
      await engine.close()
      copyFileSync(`${path}.copy`, `${path}-restore-ready`)
      expect(sentenceOf(() => backUp(path, `${path}.two`))).toBe(
        `A restore of ${path} was interrupted: start the server, which finishes it, or restore again.`,
      )
      const again = await SqliteEngine.open(path)
      expect((await documentOf(again, id)).version).toBe(501)
      backUp(path, `${path}.two`)
      await again.close()
    }))
})

describe('milepost backup and restore', () => {
  const milepost = (...args: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, 'server/cli/main.ts', ...args])
    return [exitCode, `${stdout}${stderr}`.trim()]
  }

  test('milepost backup and restore copy the database of MILEPOST_ENGINE', () =>
    withJob(async ({ path, engine, id }) => {
      const of = ['--engine', `sqlite:${path}`]
      expect(milepost('backup', `${path}.copy`, ...of)).toEqual([0, `Copied ${path} to ${path}.copy.`])
      await publish(engine, id, items('second'))
      expect(milepost('restore', `${path}.copy`, ...of)).toEqual([
        1,
        `${path} is in use by another process: stop that one, or name another file.`,
      ])
      await engine.close()
      expect(milepost('restore', `${path}.copy`, ...of)).toEqual([0, `Restored ${path} from ${path}.copy.`])
      const again = await SqliteEngine.open(path)
      expect((await again.read(id))?.header.version).toBe(1)
      await again.close()
    }))

  test('milepost backup says what it needs', () => {
    expect(milepost('backup')).toEqual([1, 'Name one file: milepost backup FILE.'])
    expect(milepost('backup', 'x', '--engine', 'memory:')).toEqual([
      1,
      'MILEPOST_ENGINE is "memory:". Only sqlite:PATH can be copied.',
    ])
  })
})

describe('restore', () => {
  test('restore puts a copy in the place of what a killed process left, and of its log', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      backUp(path, `${path}.copy`)
      await publish(engine, id, items('second'))
      copyFileSync(`${path}-wal`, `${path}.wal`)
      await engine.close()
      copyFileSync(`${path}.wal`, `${path}-wal`)
      restore(path, `${path}.copy`)
      expect(readdirSync(dirname(path)).filter((name) => /-(wal|shm|restored)/.test(name))).toEqual([])
      const again = await SqliteEngine.open(path)
      const document = await documentOf(again, id)
      expect([document.version, document.items[7]?.label]).toEqual([501, 'first'])
      await again.close()
    }))

  test('restore leaves no notes: sessions that have ended since do not come back', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      await engine.notes.put({ key: 'session/a/b', text: 'text' }, Number.MAX_VALUE, 0)
      backUp(path, `${path}.copy`)
      await engine.close()
      restore(path, `${path}.copy`)
      const restored = await SqliteEngine.open(path)
      expect(await restored.notes.get('session/a/b')).toBeUndefined()
      await restored.close()
    }))

  test('restore takes a copy that is kept read-only, and makes a file that is not', () =>
    withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      backUp(path, `${path}.copy`)
      await engine.close()
      chmodSync(`${path}.copy`, 0o444)
      restore(path, `${path}.copy`)
      expect(statSync(path).mode & 0o777).toBe(0o600)
    }))

  test('restore replaces a damaged file, and refuses a damaged copy', () =>
    withJob(async ({ path, engine, id }) => {
      backUp(path, `${path}.copy`)
      await engine.close()
      writeFileSync(`${path}.bad`, 'text')
      expect(sentenceOf(() => restore(path, `${path}.bad`))).toStartWith(`${path}.bad is not a SQLite file`)
      writeFileSync(`${path}.bad`, '')
      expect(sentenceOf(() => restore(path, `${path}.bad`))).toContain('is empty')
      writeFileSync(`${path}.bad`, readFileSync(`${path}.copy`).subarray(0, -1_000))
      expect(sentenceOf(() => restore(path, `${path}.bad`))).toStartWith(`${path}.bad is damaged (it is truncated)`)
      writeFileSync(path, readFileSync(path).subarray(0, 6_000))
      restore(path, `${path}.copy`)
      const again = await SqliteEngine.open(path)
      expect((await again.read(id))?.header.version).toBe(1)
      await again.close()
    }))

  test('restore names the database when its disk is full, and leaves it as it is', () =>
    withJob(async ({ path, engine, id }) => {
      await publish(engine, id, items('first'))
      await engine.close()
      await withDisk(8 * 1024 * 1024, async (folder) => {
        const small = `${folder}/milepost.db`
        await (await SqliteEngine.open(small)).close()
        const before = readFileSync(small)
        // The disk is full to its last byte.
        expect(() => writeFileSync(`${folder}/other`, new Uint8Array(8 * 1024 * 1024))).toThrow()
        expect(sentenceOf(() => restore(small, path))).toBe(
          `${small} can't be written because the disk is full: free some space, then try again.`,
        )
        expect(readFileSync(small)).toEqual(before)
      })
    }))

  test('restore refuses while an engine has the file', () =>
    withJob(async ({ path, engine, id }) => {
      backUp(path, `${path}.copy`)
      expect(sentenceOf(() => restore(path, `${path}.copy`))).toBe(
        `${path} is in use by another process: stop that one, or name another file.`,
      )
      taken(await engine.apply(id, batchOf([{ type: 'progress', done: 1 }])))
      await engine.close()
    }))
})
