import { expect, test } from 'bun:test'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { WriterThread } from '../../../../../server/engines/sqlite/thread.ts'
import { withPath } from './sqlite-fixtures.ts'

test('WriterThread.close lets what was asked before finish, and whatever is asked later fails with a sentence', () =>
  withPath(async (path) => {
    const thread = await WriterThread.open(path)
    const failed = 'The database is closed, because the server is stopping.'
    const plan = { statements: '', frees: false }
    const before = Promise.all([thread.check(), thread.commit(plan)])
    const closed = thread.close()
    const meanwhile = Promise.all([thread.check(), thread.commit(plan)])
    await closed
    expect(await before).toEqual([{ mustKeepWal: false }, {}])
    expect(await meanwhile).toEqual([{ failed, mustKeepWal: false }, { failed }])
    expect(await thread.commit(plan)).toEqual({ failed })
    await thread.close()
  }))

test('SqliteEngine answers a read after its end', () =>
  withPath(async (path) => {
    const engine = await SqliteEngine.open(path)
    await engine.close()
    expect(await engine.read('job').catch(() => 'refused')).toBe('refused')
  }))
