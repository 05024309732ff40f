import { expect, test } from 'bun:test'
import { SqliteEngine } from '../../../../../../server/engines/sqlite/engine.ts'
import { openDatabase } from '../../../../../../server/engines/sqlite/file/open.ts'
import { instantOf } from '../../../../../arbitraries.ts'
import { batchOf, created, taken } from '../../../../../conformance/fixtures.ts'
import { backToFormat, withPath } from '../sqlite-fixtures.ts'

test('openDatabase of a file of format 3 finds what is due, jobs that ended while none was kept for a time only, and what creators have', () =>
  withPath(async (path) => {
    const before = await SqliteEngine.open(path)
    const end = (fields: object) => batchOf([{ type: 'status', status: 'completed' }], { at: instantOf(5), ...fields })
    const late = await created(before, { timeoutSeconds: 10 })
    const expires = await created(before)
    const ended = await created(before)
    await created(before)
    taken(await before.apply(expires.id, end({ retentionSeconds: 100 })))
    taken(await before.apply(ended.id, end({})))
    const dues = (engine: SqliteEngine) =>
      Promise.all(
        (['end', 'expire', 'ended'] as const).map((list) => engine.due({ list, before: Number.MAX_VALUE, limit: 9 })),
      )
    const expected = await dues(before)
    expect(expected).toMatchObject([[{ id: late.id }], [{ id: expires.id }], [{ id: ended.id }]])
    await before.close()
    const owned = openDatabase(path)
    const kept = owned.db.prepare('SELECT * FROM kept').all()
    expect(kept).toMatchObject([{ jobs: 4, blocks: 4 }])
    backToFormat(owned.db, 3)
    owned.close()
    const after = await SqliteEngine.open(path)
    expect(await dues(after)).toEqual(expected)
    await after.close()
    const migrated = openDatabase(path)
    expect(migrated.db.prepare('SELECT * FROM kept').all()).toEqual(kept)
    migrated.close()
  }))
