import { expect, test } from 'bun:test'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { withEngine, withPath, withWriter } from './sqlite-fixtures.ts'

const listed = async (engine: SqliteEngine) =>
  (await engine.notes.list({ prefix: 'n/', limit: 1_000 })).map(({ key }) => key)

test('notes of a file are there when it is opened again', () =>
  withPath(async (path) => {
    const before = await SqliteEngine.open(path)
    await before.notes.put({ key: 'n/kept', text: 'text' }, 1_000, 0)
    await before.notes.put({ key: 'n/taken', text: 'text' }, 1_000, 0)
    await before.notes.take('n/taken')
    await before.close()
    const after = await SqliteEngine.open(path)
    expect([await after.notes.get('n/kept'), await after.notes.get('n/taken')]).toEqual(['text', undefined])
    await after.close()
  }))

test('notes that ran out by the clock of the caller are deleted when one is written, a hundred at a time', () =>
  withEngine(async ({ engine }) => {
    const put = (key: string, until: number, now: number) => engine.notes.put({ key, text: '' }, until, now)
    const numbers = Array.from({ length: 150 }, (_, index) => index)
    await Promise.all(numbers.map((index) => put(`n/old-${index}`, index, -1)))
    await put('n/kept', 1_000, 150)
    expect((await listed(engine)).length).toBe(51)
    await put('n/new', 1_000, 150)
    expect(await listed(engine)).toEqual(['n/kept', 'n/new'])
  }))

test('notes are decided upon each other within a group, and nothing of them is left when it fails', () =>
  withWriter(async ({ engine, db }) => {
    const { notes } = engine
    const put = notes.put({ key: 'n/1', text: 'first' }, 1_000, 0)
    const taken = Promise.all([notes.take('n/1'), notes.take('n/1')])
    await put
    expect(await taken).toEqual(['first', undefined])
    await notes.put({ key: 'n/2', text: 'kept' }, 1_000, 0)
    db.exec('PRAGMA query_only = 1')
    const failed = await Promise.allSettled([notes.take('n/2'), notes.put({ key: 'n/3', text: '' }, 1_000, 0)])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    db.exec('PRAGMA query_only = 0')
    expect([await notes.get('n/2'), await notes.get('n/3')]).toEqual(['kept', undefined])
    expect(await notes.take('n/2')).toBe('kept')
  }))
