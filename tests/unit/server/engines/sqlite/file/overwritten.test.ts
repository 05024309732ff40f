import { describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, linkSync, readFileSync, rmSync, statSync, truncateSync, utimesSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../../server/engines/sqlite/engine.ts'
import { backUp } from '../../../../../../server/engines/sqlite/file/backup.ts'
import { MOVED } from '../../../../../../server/engines/sqlite/plan.ts'
import { problems } from '../../../../../../server/errors.ts'
import type { JobEvent } from '../../../../../../shared/document/events.ts'
import { batchOf, documentOf, newJob, publish, taken } from '../../../../../conformance/fixtures.ts'
import { withPath, withWriter } from '../sqlite-fixtures.ts'

const ID = 'job'
const refused = { refused: problems.unavailable(MOVED) }
const messageOf = (error: Error) => error.message
const item = (id: string, size = 1): JobEvent => ({ type: 'item', id, message: 'x'.repeat(size) })

/** Overwrites a file in its place. Not in this process: closing the file would release SQLite's locks on it. */
const copyOver = (from: string, to: string) => expect(Bun.spawnSync(['cp', from, to]).exitCode).toBe(0)

function sqlite3(path: string, ...commands: string[]): void {
  const { stderr } = Bun.spawnSync(['sqlite3', path, ...commands])
  expect(stderr.toString()).toBe('')
}

/** Publishes until the writer has checkpointed the WAL, and then once more. */
async function fillWal(engine: SqliteEngine): Promise<void> {
  for (let batch = 0; batch < 5; batch++)
    await publish(
      engine,
      ID,
      Array.from({ length: 125 }, (_, index) => item(`${batch}.${index}`, 8_000)),
    )
  await publish(engine, ID, [item('after the checkpoint')])
}

/** Makes a file of some jobs whose server has stopped, with a copy of an earlier run of the same size beside it. */
async function twoRuns(path: string): Promise<void> {
  let engine = await SqliteEngine.open(path)
  await engine.create(newJob({ id: ID }))
  await publish(engine, ID, [item('base')])
  await engine.close()
  copyFileSync(path, `${path}.copy`)
  engine = await SqliteEngine.open(path)
  await publish(engine, ID, [item('lost')])
  await engine.close()
  expect(statSync(path).size).toBe(statSync(`${path}.copy`).size)
}

type Act = (engine: SqliteEngine, path: string) => Promise<void> | void

const checkpoint = (path: string, mode: string) => sqlite3(path, `PRAGMA wal_checkpoint(${mode})`)
const one = (engine: SqliteEngine) => publish(engine, ID, [item('one')])

/** What happens between the start of the server and the moment when the copy is laid over its file. */
const overwritten: Record<string, Act> = {
  'before the first publish': () => {},
  'after a read': async (engine) => void (await documentOf(engine, ID)),
  'after a publish': one,
  'after a checkpoint of our own': fillWal,
  'after another program has copied the WAL': async (engine, path) => {
    await one(engine)
    checkpoint(path, 'PASSIVE')
  },
  'after another program has copied part of the WAL': async (engine, path) => {
    await one(engine)
    const reader = new DatabaseSync(path, { readOnly: true })
    reader.exec('BEGIN; SELECT count(*) FROM jobs')
    reader.prepare('SELECT count(*) FROM jobs').get()
    await publish(engine, ID, [item('two')])
    checkpoint(path, 'PASSIVE')
    reader.close()
  },
  'after another program has emptied the WAL': async (engine, path) => {
    await one(engine)
    checkpoint(path, 'TRUNCATE')
  },
  'after another program has emptied the WAL before a publish': async (engine, path) => {
    await one(engine)
    checkpoint(path, 'TRUNCATE')
    await one(engine)
  },
  'after another program has emptied the WAL and written': async (engine, path) => {
    await one(engine)
    sqlite3(path, 'PRAGMA wal_checkpoint(RESTART); CREATE TABLE other (a)')
  },
  'by a copy of this run': async (engine, path) => {
    await one(engine)
    checkpoint(path, 'TRUNCATE')
    copyOver(path, `${path}.copy`)
    await one(engine)
    checkpoint(path, 'TRUNCATE')
  },
  'by a copy of this run, before a checkpoint of our own': async (engine, path) => {
    await fillWal(engine)
    copyOver(path, `${path}.copy`)
    await fillWal(engine)
  },
  'by what backUp made in this run': async (engine, path) => {
    await one(engine)
    rmSync(`${path}.copy`)
    backUp(path, `${path}.copy`)
    await one(engine)
  },
  'by what sqlite3 made in this run': async (engine, path) => {
    await one(engine)
    sqlite3(path, `.backup '${path}.copy'`)
    await one(engine)
    checkpoint(path, 'TRUNCATE')
  },
}

/** What other programs may do. */
const harmless: Record<string, (path: string) => void> = {
  'copies the WAL': (path) => checkpoint(path, 'PASSIVE'),
  'copies the WAL and restarts it': (path) => checkpoint(path, 'RESTART'),
  'empties the WAL': (path) => checkpoint(path, 'TRUNCATE'),
  'writes a table of its own': (path) => sqlite3(path, 'CREATE TABLE IF NOT EXISTS other (a)'),
  'writes a table of its own, and empties the WAL': (path) =>
    sqlite3(path, 'CREATE TABLE IF NOT EXISTS other (a); PRAGMA wal_checkpoint(TRUNCATE)'),
  'empties the WAL, and writes': (path) =>
    sqlite3(
      path,
      'PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE IF NOT EXISTS other (a); INSERT INTO other VALUES (1)',
    ),
  'makes a copy': (path) => sqlite3(path, `.backup '${path}.made'`),
  'vacuums the file': (path) => sqlite3(path, 'VACUUM'),
  'vacuums the file, and empties the WAL': (path) => sqlite3(path, 'VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'),
  'touches the file': (path) => utimesSync(path, new Date(), new Date()),
  'links and changes the mode of the file': (path) => {
    rmSync(`${path}.link`, { force: true })
    linkSync(path, `${path}.link`)
    chmodSync(path, 0o640)
  },
}

describe('SqliteEngine whose file is overwritten in its place', () => {
  for (const since of ['a publish', 'a checkpoint'] as const)
    test(`apply and check fail once sqlite3 has restored an older copy into the open file, after ${since}`, () =>
      withPath(async (path) => {
        const engine = await SqliteEngine.open(path)
        await engine.create(newJob({ id: ID }))
        await one(engine)
        sqlite3(path, `.backup '${path}.copy'`)
        await (since === 'a publish' ? one(engine) : fillWal(engine))
        sqlite3(path, `.restore '${path}.copy'`)
        expect(await engine.apply(ID, batchOf([item('after')]))).toEqual(refused)
        expect(await engine.check().catch(messageOf)).toBe(MOVED)
        await engine.close()
      }))

  for (const [when, act] of Object.entries(overwritten))
    test(`apply, read and check fail from the next request on: ${when}`, () =>
      withPath(async (path) => {
        await twoRuns(path)
        const engine = await SqliteEngine.open(path)
        await act(engine, path)
        const key = { key: 'k', digest: 'd' }
        taken(await engine.apply(ID, batchOf([item('keyed')], { key })))
        copyOver(`${path}.copy`, path)
        expect(await engine.apply(ID, batchOf([item('keyed')], { key }))).toEqual(refused)
        expect(await engine.apply(ID, batchOf([item('next')]))).toEqual(refused)
        expect(await engine.check().catch(messageOf)).toBe(MOVED)
        expect(await engine.read(ID).catch(messageOf)).toBe(MOVED)
        expect(await engine.list({ owner: undefined, limit: 1 }).catch(messageOf)).toBe(MOVED)
        expect(await engine.changesSince(ID, undefined, { view: 'all', maxBytes: 1 }).catch(messageOf)).toBe(MOVED)
        await engine.close()
        expect(readFileSync(path).equals(readFileSync(`${path}.copy`))).toBe(true)
      }))

  test('check notices it before anyone publishes', () =>
    withPath(async (path) => {
      await twoRuns(path)
      const engine = await SqliteEngine.open(path)
      copyOver(`${path}.copy`, path)
      expect(await engine.check().catch(messageOf)).toBe(MOVED)
      await engine.close()
    }))

  for (const [what, act] of Object.entries(harmless))
    test(`apply goes on when another program ${what}`, () =>
      withPath(async (path) => {
        await twoRuns(path)
        const engine = await SqliteEngine.open(path)
        act(path)
        for (let round = 0; round < 3; round++) {
          for (let count = 0; count < 3; count++) await publish(engine, ID, [item(`${round}.${count}`)])
          act(path)
          expect(await engine.check()).toBeUndefined()
        }
        await fillWal(engine)
        act(path)
        await publish(engine, ID, [item('last')])
        const document = await documentOf(engine, ID)
        await engine.close()
        rmSync(`${path}.link`, { force: true })
        const again = await SqliteEngine.open(path)
        expect(await documentOf(again, ID)).toEqual(document)
        await again.close()
      }))

  test('apply goes on when another program has written and copied the WAL just before the transaction', () =>
    withWriter(async ({ engine, writer, db, path }) => {
      writer.stamp()
      await engine.create(newJob({ id: ID }))
      // A reader in the WAL keeps writers from restarting it.
      const reader = new DatabaseSync(path, { readOnly: true })
      reader.exec('BEGIN')
      reader.prepare('SELECT count(*) FROM jobs').get()
      checkpoint(path, 'PASSIVE')
      expect(await engine.check()).toBeUndefined()
      const exec = db.exec.bind(db)
      db.exec = (sql) => {
        if (sql === 'BEGIN IMMEDIATE') {
          db.exec = exec
          sqlite3(path, 'CREATE TABLE other (a)')
          reader.close()
          checkpoint(path, 'PASSIVE')
        }
        exec(sql)
      }
      await publish(engine, ID, [item('one')])
      await publish(engine, ID, [item('two')])
      expect(await engine.check()).toBeUndefined()
    }))

  test('apply goes on while other programs write and checkpoint', () =>
    withPath(async (path) => {
      await twoRuns(path)
      const engine = await SqliteEngine.open(path)
      const acts = ['PASSIVE', 'RESTART', 'TRUNCATE'].map((mode) => `PRAGMA wal_checkpoint(${mode})`)
      const loop = `while :; do for act in '${[...acts, 'CREATE TABLE IF NOT EXISTS other (a); INSERT INTO other VALUES (1)'].join("' '")}'; do
        sqlite3 -cmd '.timeout 3000' '${path}' "$act"; done; done`
      const others = [0, 1].map(() => Bun.spawn(['sh', '-c', loop], { stdio: ['ignore', 'ignore', 'ignore'] }))
      for (let count = 0; count < 200; count++) await publish(engine, ID, [item(`${count}`)])
      for (const other of others) other.kill()
      await Promise.all(others.map((other) => other.exited))
      expect(await engine.check()).toBeUndefined()
      await engine.close()
    }))
})

describe('the next start', () => {
  const module = Bun.resolveSync('../../../../../../server/engines/sqlite/engine.ts', import.meta.dir)

  /** Lays the copy over the file of a server that then notices it, and ends: stopped or killed. */
  function overwriteUnderServer(path: string, act: string, end: string): void {
    const script = `const { SqliteEngine } = await import('${module}')
      const engine = await SqliteEngine.open('${path}')
      await engine.notes.put({ key: 'a/b', text: 'committed' }, 1e15, 0)
      Bun.spawnSync(['sh', '-c', "${act}"])
      await engine.check().catch(() => {})
      ${end}`
    Bun.spawnSync([process.execPath, '-e', script])
  }

  for (const [how, act] of [
    ['overwritten', 'cp X.copy X'],
    ['replaced', 'cp X.copy X.new; mv X.new X'],
  ] as const)
    test(`open refuses a file that was ${how}, until its WAL is gone`, () =>
      withPath(async (path) => {
        await twoRuns(path)
        overwriteUnderServer(path, act.replaceAll('X', path), "process.kill(process.pid, 'SIGKILL')")
        const sentence = await SqliteEngine.open(path).catch(messageOf)
        expect(sentence).toBe(
          `${path} was replaced while a server had it open, and ${path}-wal belongs to the file before. To go on with ${path} as it is, delete ${path}-wal and ${path}-shm; "milepost restore" does that too. If the file before is back, delete ${path}-replaced.`,
        )
        expect(readFileSync(path).equals(readFileSync(`${path}.copy`))).toBe(true)
        for (const suffix of ['-wal', '-shm']) rmSync(path + suffix)
        const engine = await SqliteEngine.open(path)
        expect((await documentOf(engine, ID)).items.map(({ id }) => id)).toEqual(['base'])
        await engine.close()
        await (await SqliteEngine.open(path)).close()
      }))

  test('a server that is stopped after that leaves the file and the WAL as they are', () =>
    withPath(async (path) => {
      await twoRuns(path)
      overwriteUnderServer(path, `cp ${path}.copy ${path}`, 'await engine.close()')
      expect(readFileSync(path).equals(readFileSync(`${path}.copy`))).toBe(true)
      expect(await SqliteEngine.open(path).catch(messageOf)).toContain('was replaced while a server had it open')
    }))

  test('open refuses a file that lacks its last byte beside the WAL of a killed server', () =>
    withPath(async (path) => {
      await twoRuns(path)
      overwriteUnderServer(path, 'true', "process.kill(process.pid, 'SIGKILL')")
      const { size } = statSync(path)
      truncateSync(path, size - 1)
      expect(await SqliteEngine.open(path).catch(messageOf)).toStartWith(`${path} is damaged (it is truncated)`)
      expect(statSync(path).size).toBe(size - 1)
    }))
})
