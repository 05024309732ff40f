import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../../server/engines/sqlite/engine.ts'
import { APPLICATION_ID, FORMAT } from '../../../../../../server/engines/sqlite/file/format.ts'
import { openDatabase } from '../../../../../../server/engines/sqlite/file/open.ts'
import { EngineOpenError } from '../../../../../../server/jobs/engine.ts'
import { batchOf, newJob } from '../../../../../conformance/fixtures.ts'
import { backToFormat } from '../sqlite-fixtures.ts'

const OPEN_MODULE = Bun.resolveSync('../../../../../../server/engines/sqlite/file/open.ts', import.meta.dir)

let folder = ''
let count = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'milepost-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** A path in a folder of its own. */
function freshPath(name = 'milepost.db'): string {
  count += 1
  const path = join(folder, `${count}`, name)
  mkdirSync(dirname(path))
  return path
}

/** Everything in a file's folder, by its digest: to see that nothing of it was touched and nothing was added. */
function digests(path: string): Record<string, string> {
  const files = readdirSync(dirname(path)).map((name) => join(dirname(path), name))
  return Object.fromEntries(files.map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]))
}

function makeSqlite(path: string, sql: string): void {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

/** The sentence with which a file is refused. */
function refusalOf(path: string): string {
  try {
    openDatabase(path).close()
  } catch (error) {
    if (error instanceof EngineOpenError) return error.message
    throw error
  }
  throw new Error(`${path} was opened`)
}

/** What another process is told when it opens the file. */
function refusalOfAnother(path: string): string {
  const script = `const { openDatabase } = await import(${JSON.stringify(OPEN_MODULE)})
    try { openDatabase(${JSON.stringify(path)}).close() } catch (error) { console.log(error.message) }`
  return Bun.spawnSync([process.execPath, '-e', script]).stdout.toString().trim()
}

const modeOf = (file: string) => statSync(file).mode & 0o777

const pragma = (db: DatabaseSync, name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]

describe('openDatabase', () => {
  test('openDatabase refuses a file with a page that is damaged, and leaves it as it is', async () => {
    const path = freshPath()
    const engine = await SqliteEngine.open(path)
    for (let made = 0; made < 40; made++) await engine.create(newJob())
    await engine.close()
    const fd = openSync(path, 'r+')
    for (let at = 2; at < 6; at++) writeSync(fd, new Uint8Array(2_048).fill(0xa5), 0, 2_048, at * 4_096)
    closeSync(fd)
    const before = digests(path)
    expect(refusalOf(path)).toContain('is damaged')
    expect(digests(path)).toEqual(before)
  })

  test('openDatabase refuses a file that lacks a table, and leaves it as it is', () => {
    const path = freshPath()
    openDatabase(path).close()
    makeSqlite(path, 'DROP TABLE heads')
    const before = digests(path)
    expect(refusalOf(path)).toContain('is damaged (it has no table heads)')
    expect(digests(path)).toEqual(before)
  })

  test('openDatabase refuses a file with two names, by each of which a server could write it', () => {
    const path = freshPath()
    openDatabase(path).close()
    linkSync(path, `${path}.link`)
    expect(refusalOf(path)).toContain('has a second hard link')
    rmSync(`${path}.link`)
    openDatabase(path).close()
  })

  test('openDatabase makes a file, and the folder that it lies in', () => {
    const path = join(freshPath(), 'not', 'there', 'yet.db')
    const { db, close } = openDatabase(path)
    expect([pragma(db, 'application_id'), pragma(db, 'user_version')]).toEqual([APPLICATION_ID, FORMAT])
    for (const name of readdirSync(dirname(path)))
      expect([name, modeOf(join(dirname(path), name))]).toEqual([name, 0o600])
    close()
    expect(readdirSync(dirname(path)).sort()).toEqual(['yet.db', 'yet.db-lock'])
  })

  test('openDatabase has a write-ahead log that is synced at each commit, and lets others read', () => {
    const path = freshPath()
    for (const _ of ['new', 'there already']) {
      const { db, close } = openDatabase(path)
      // 2 is FULL.
      expect([pragma(db, 'journal_mode'), pragma(db, 'synchronous')]).toEqual(['wal', 2])
      db.exec("INSERT OR IGNORE INTO heads VALUES (1, '{}')")
      const reader = new DatabaseSync(path, { readOnly: true })
      expect(reader.prepare('SELECT count(*) AS n FROM heads').get()).toEqual({ n: 1 })
      reader.close()
      close()
    }
  })

  test('openDatabase writes the log that a killed process left over itself, and keeps what is in it', () => {
    const [origin, path] = [freshPath(), freshPath()]
    const { db, close } = openDatabase(origin)
    db.exec("INSERT INTO heads VALUES (1, '{}')")
    Bun.spawnSync(['cp', origin, `${origin}-wal`, dirname(path)])
    close()
    const trace = Bun.spawnSync([
      ...['strace', '-f', '-y', '-e', 'trace=pwrite64,fdatasync', '-o', join(dirname(path), 'trace'), process.execPath],
      ...['-e', `(await import(${JSON.stringify(OPEN_MODULE)})).openDatabase(${JSON.stringify(path)}).close()`],
    ])
    expect(trace.stderr.toString()).toBe('')
    const calls = readFileSync(join(dirname(path), 'trace'), 'utf8').split('\n')
    const first = calls.find((call) => call.includes('milepost.db-wal')) ?? ''
    expect(first).toContain('pwrite64')
    expect(calls.find((call) => call.includes('fdatasync') && call.includes('milepost.db'))).toContain(
      'milepost.db-wal',
    )
    const found = openDatabase(path)
    expect(found.db.prepare('SELECT count(*) AS n FROM heads').get()).toEqual({ n: 1 })
    found.close()
  })

  test('openDatabase finds its own file in the middle of a checkpoint', () => {
    const [origin, path] = [freshPath(), freshPath()]
    const { db, close } = openDatabase(origin)
    db.exec('PRAGMA wal_autocheckpoint = 0')
    const insert = db.prepare('INSERT INTO rows (job, list, version, body) VALUES (1, 3, ?, ?)')
    db.exec('BEGIN')
    for (let version = 0; version < 2_000; version++) insert.run(version, 'x'.repeat(500))
    db.exec('COMMIT')
    Bun.spawnSync(['cp', `${origin}-wal`, `${path}-wal`])
    db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    close()
    // Half of the pages have reached the file: what it is worth, only the log tells.
    const half = readFileSync(origin)
    writeFileSync(path, half.subarray(0, Math.floor(half.length / 2 / 4_096) * 4_096))
    const found = openDatabase(path)
    expect(found.db.prepare('SELECT count(*) AS n FROM rows').get()).toEqual({ n: 2_000 })
    found.close()
  })

  test('openDatabase finds its own file whose WAL has frames of a commit that was rolled back', () => {
    const [origin, other, path] = [freshPath(), freshPath(), freshPath()]
    const { db, close } = openDatabase(origin)
    db.exec("INSERT INTO heads VALUES (0, '{}')")
    for (const copy of [other, path]) Bun.spawnSync(['cp', origin, `${origin}-wal`, dirname(copy)])
    const insert = db.prepare('INSERT INTO rows (job, list, version, body) VALUES (1, 3, ?, ?)')
    db.exec('BEGIN')
    for (let version = 0; version < 2_000; version++) insert.run(version, 'x'.repeat(500))
    db.exec('COMMIT')
    const rolledBack = readFileSync(`${origin}-wal`)
    close()
    // The next commits overwrite the beginning of the one that was rolled back, and with it frames of pages that the file lacks.
    const later = openDatabase(other)
    for (let job = 1; job <= 100; job++) later.db.exec(`INSERT INTO heads VALUES (${job}, '{}')`)
    const overwriting = readFileSync(`${other}-wal`)
    later.close()
    expect(rolledBack.length).toBeGreaterThan(overwriting.length)
    writeFileSync(`${path}-wal`, Buffer.concat([overwriting, rolledBack.subarray(overwriting.length)]))
    const found = openDatabase(path)
    expect(found.db.prepare('SELECT count(*) AS n FROM heads').get()).toEqual({ n: 101 })
    found.close()
  })

  test("openDatabase fails when its folder can't be synced, because a power cut could bring back a deleted journal", () => {
    const path = freshPath()
    const script = `const { openDatabase } = await import(${JSON.stringify(OPEN_MODULE)})
      try { openDatabase(${JSON.stringify(path)}).close() } catch (error) { console.log(error.message) }`
    // With a path, strace injects only into calls on that path. SQLite itself ignores the error.
    const { stdout } = Bun.spawnSync([
      ...['strace', '-f', '-qq', '-o', '/dev/null', '-P', dirname(path), '-e', 'trace=fsync'],
      ...['-e', 'inject=fsync:error=EIO', process.execPath, '-e', script],
    ])
    expect(stdout.toString()).toContain('Check the disk')
  })

  test('openDatabase refuses a file that an older Milepost has to read once more', () => {
    const path = freshPath()
    openDatabase(path).close()
    const toFormat2 = (sql: string) => {
      const db = new DatabaseSync(path)
      backToFormat(db, 2)
      db.exec(`DROP TABLE trash; CREATE TABLE log (seq INTEGER PRIMARY KEY, body TEXT); ${sql}`)
      db.close()
    }
    toFormat2('')
    openDatabase(path).close()
    toFormat2("INSERT INTO log (body) VALUES ('[]')")
    expect(refusalOf(path)).toBe(
      `${path} was written by an older Milepost that was killed: start and stop that version once more, then this one.`,
    )
  })

  test('openDatabase refuses a file that was cut short, and says what to do', () => {
    const path = freshPath()
    const { db, close } = openDatabase(path)
    db.exec("INSERT INTO heads VALUES (1, '{}')")
    close()
    const whole = readFileSync(path)
    for (const [length, sentence] of [
      [50, `${path} is not a SQLite file: name another file, or move this one away.`],
      [4_096, `${path} is damaged`],
      [6_000, `${path} is damaged`],
      [whole.length - 1_000, `${path} is damaged (it is truncated)`],
    ] as const) {
      writeFileSync(path, whole.subarray(0, length))
      expect(refusalOf(path)).toStartWith(sentence)
      expect(readFileSync(path).length).toBe(length)
    }
  })

  test('openDatabase begins nothing anew beside the log of a database that is gone', () => {
    const path = freshPath()
    writeFileSync(`${path}-wal`, 'frames')
    expect(refusalOf(path)).toBe(
      `${path} is missing, but its write-ahead log ${path}-wal exists: put the database back beside it, or move the -wal file away.`,
    )
    expect(readdirSync(dirname(path))).toEqual(['milepost.db-wal'])
  })

  test('openDatabase takes an empty file as a new one', () => {
    const path = freshPath()
    writeFileSync(path, '')
    const { db, close } = openDatabase(path)
    expect(pragma(db, 'user_version')).toBe(FORMAT)
    close()
  })

  test('openDatabase makes anew what was killed while it was made', async () => {
    const path = freshPath()
    openDatabase(path).close()
    // The head of a rollback journal that says: before this transaction the file had no pages.
    const journal = Buffer.alloc(512)
    journal.set([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7])
    journal.writeUInt32BE(512, 20)
    journal.writeUInt32BE(4_096, 24)
    writeFileSync(`${path}-journal`, journal)
    const engine = await SqliteEngine.open(path)
    expect(await engine.create(newJob())).toMatchObject({ created: true })
    await engine.close()
    expect(readdirSync(dirname(path)).sort()).toEqual(['milepost.db', 'milepost.db-lock', 'milepost.db-reserve'])
  })

  test('openDatabase takes a name of any characters', () => {
    const path = freshPath("a b?c#d%41&e'é.db")
    openDatabase(path).close()
    openDatabase(path).close()
    expect(readdirSync(dirname(path)).sort()).toEqual(["a b?c#d%41&e'é.db", "a b?c#d%41&e'é.db-lock"])
  })

  test('openDatabase refuses a directory', () => {
    const path = dirname(freshPath())
    expect(refusalOf(path)).toBe(`${path} is a directory: name a file, such as ${path}/milepost.db.`)
  })

  test('openDatabase refuses a directory in the place of a file that it keeps', () => {
    for (const suffix of ['-lock', '-reserve', '-wal', '-shm', '-journal', '-restored', '-restore-ready']) {
      const path = freshPath()
      openDatabase(path).close()
      rmSync(path + suffix, { force: true })
      mkdirSync(path + suffix)
      const before = readdirSync(dirname(path))
      expect(refusalOf(path)).toBe(`${path}${suffix} is not a file, but Milepost needs a file there: move it away.`)
      expect(readdirSync(dirname(path))).toEqual(before)
    }
  })

  test('openDatabase leaves a file that this user may not write as it is', () => {
    const open = mkdtempSync(join(tmpdir(), 'milepost-'))
    const path = join(open, 'milepost.db')
    openDatabase(path).close()
    rmSync(`${path}-lock`)
    chmodSync(path, 0o444)
    chmodSync(open, 0o777)
    const before = digests(path)
    const script = `import { openDatabase } from '${OPEN_MODULE}'; openDatabase('${path}')`
    // Nothing is read-only to root.
    const other = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
    const child = Bun.spawnSync([...other, process.execPath, '-e', script], { env: { PATH: process.env.PATH } })
    expect(child.stderr.toString()).toContain(`${path} can't be opened (EACCES: permission denied`)
    expect(digests(path)).toEqual(before)
    rmSync(open, { recursive: true })
  })

  test('openDatabase refuses what is neither a file nor a directory', () => {
    const path = freshPath()
    expect(Bun.spawnSync(['mkfifo', path]).exitCode).toBe(0)
    expect(refusalOf(path)).toBe(`${path} is not a file: name one, or a new one.`)
  })

  test('openDatabase refuses a path that leads nowhere', () => {
    const path = freshPath()
    symlinkSync(path, path)
    expect(refusalOf(path)).toMatch(
      / can't be opened \(ELOOP.*\): a link on the path leads back to itself\. Name another file\.$/,
    )
    const file = freshPath('file')
    writeFileSync(file, 'text')
    expect(refusalOf(join(file, 'milepost.db'))).toMatch(
      /^\S+\/milepost\.db can't be opened \(ENOTDIR.*\): a part of the path is a file, not a folder\. Name a file in a folder\.$/,
    )
    const link = freshPath('link')
    symlinkSync('/not-there/milepost.db', link)
    expect(refusalOf(link)).toMatch(
      / can't be opened \(ENOENT.*\): a folder on the path does not exist, or a link leads nowhere\. Make that folder, or name another file\.$/,
    )
    expect(refusalOf(join(link, 'milepost.db'))).toMatch(
      / can't be opened \(EEXIST.*\): its folder is a file or a broken link\. Name a file in a folder\.$/,
    )
  })

  test('openDatabase leaves a file that is not SQLite as it is', () => {
    for (const content of ['hello', 'To do:\n- milk\n'.repeat(1_000), '\0'.repeat(5_000)]) {
      const path = freshPath()
      writeFileSync(path, content)
      const before = digests(path)
      expect(refusalOf(path)).toBe(`${path} is not a SQLite file: name another file, or move this one away.`)
      expect(digests(path)).toEqual(before)
    }
  })

  test('openDatabase leaves a SQLite file of another program as it is', () => {
    for (const mode of ['delete', 'wal']) {
      const path = freshPath()
      makeSqlite(path, `PRAGMA journal_mode = ${mode}; CREATE TABLE t (a); PRAGMA user_version = 1`)
      const before = digests(path)
      expect(refusalOf(path)).toBe(`${path} is a SQLite file of another program: name another file.`)
      expect(digests(path)).toEqual(before)
      expect(Object.keys(before)).toEqual([path])
    }
  })

  test('openDatabase makes its own of a file whose maker was stopped before it had a table', () => {
    const path = freshPath()
    makeSqlite(path, 'PRAGMA auto_vacuum = INCREMENTAL')
    expect(Bun.file(path).size).toBeGreaterThan(0)
    openDatabase(path).close()
    const db = new DatabaseSync(path)
    expect(db.prepare('PRAGMA application_id').get()).toEqual({ application_id: APPLICATION_ID })
    expect(db.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 })
    db.close()
  })

  test('openDatabase leaves the log of another program as it is', () => {
    const [origin, path] = [freshPath(), freshPath()]
    const other = new DatabaseSync(origin)
    other.exec('PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)')
    Bun.spawnSync(['cp', origin, `${origin}-wal`, dirname(path)])
    other.close()
    const before = digests(path)
    expect(Object.keys(before)).toHaveLength(2)
    expect(refusalOf(path)).toBe(`${path} is a SQLite file of another program: name another file.`)
    expect(digests(path)).toEqual(before)
  })

  test('openDatabase finds the jobs of everyone in a file of a format that knew them by their owner alone', async () => {
    const path = freshPath()
    const before = await SqliteEngine.open(path)
    await before.create(newJob({ id: 'a', owner: 'ada' }))
    await before.create(newJob({ id: 'b', owner: 'eve', status: 'running' }))
    await before.close()
    const db = new DatabaseSync(path)
    backToFormat(db, 3)
    db.close()
    const engine = await SqliteEngine.open(path)
    const ids = async (query: object) =>
      (await engine.list({ owner: undefined, limit: 9, ...query })).rows.map(({ id }) => id)
    expect([await ids({ live: true }), await ids({ status: 'running' })]).toEqual([['b', 'a'], ['b']])
    await engine.close()
  })

  test('openDatabase leaves a file of a newer format as it is', () => {
    const path = freshPath()
    openDatabase(path).close()
    makeSqlite(path, `PRAGMA user_version = ${FORMAT + 1}`)
    const before = digests(path)
    expect(refusalOf(path)).toBe(
      `${path} was written by a newer Milepost (format ${FORMAT + 1}, this one knows ${FORMAT}): run that one, or name another file.`,
    )
    expect(digests(path)).toEqual(before)
  })

  test('openDatabase sees a newer format that is in the log alone', () => {
    const [origin, path] = [freshPath(), freshPath()]
    const newer = openDatabase(origin)
    newer.db.exec(`PRAGMA user_version = ${FORMAT + 1}`)
    Bun.spawnSync(['cp', origin, `${origin}-wal`, dirname(path)])
    newer.close()
    expect(refusalOf(path)).toStartWith(`${path} was written by a newer Milepost`)
    // Refused again, and still whole.
    expect(refusalOf(path)).toStartWith(`${path} was written by a newer Milepost`)
  })

  test('openDatabase refuses a file that is in use, and costs its user nothing', async () => {
    const path = freshPath()
    const engine = await SqliteEngine.open(path)
    const inUse = `${path} is in use by another process: stop that one, or name another file.`
    expect(refusalOf(path)).toBe(inUse)
    // A process that closes a file by hand loses its locks on it: the refusal just now must not have.
    expect(refusalOfAnother(path)).toBe(inUse)
    const job = newJob()
    expect(await engine.create(job)).toMatchObject({ created: true })
    expect(await engine.apply(job.header.id, batchOf([{ type: 'progress', done: 1 }]))).toMatchObject({ repeat: false })
    await engine.close()
    expect(refusalOfAnother(path)).toBe('')
  })

  test('openDatabase makes nothing when it refuses', () => {
    const path = freshPath('text')
    writeFileSync(path, 'text')
    refusalOf(join(path, 'a', 'b.db'))
    expect(readFileSync(path, 'utf8')).toBe('text')
    expect(existsSync(`${path}-wal`)).toBe(false)
  })
})
