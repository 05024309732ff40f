import { describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { migrate } from '../../../../../server/engines/sqlite/file/format.ts'
import { Group } from '../../../../../server/engines/sqlite/group.ts'
import { SqliteStore } from '../../../../../server/engines/sqlite/store.ts'
import { defaultLimits } from '../../../../../shared/document/limits.ts'
import { batchOf, newJob } from '../../../../conformance/fixtures.ts'

/** A store in memory, and the SQL that it asks. */
function setUp() {
  const db = new DatabaseSync(':memory:')
  migrate(db, 0)
  const asked: string[] = []
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    return {
      get: (...values: (string | number | null)[]) => {
        asked.push(sql)
        return statement.get(...values)
      },
      all: (...values: (string | number | null)[]) => statement.all(...values),
      run: (...values: (string | number | null)[]) => statement.run(...values),
    }
  }
  const store = new SqliteStore({ exec: (sql) => db.exec(sql), prepare }, undefined, { kept: true })
  return { store, asked, group: () => new Group(store, (id) => store.find(id), defaultLimits) }
}

const growing = (length: number) => batchOf([{ type: 'item', id: `${length}`, message: 'x'.repeat(length) }])

describe('what creators keep', () => {
  test('a batch that makes a job larger has no jobs counted, nor does a creation without a limit of live ones', () => {
    const { asked, group } = setUp()
    const job = newJob()
    const first = group()
    expect(first.create({ ...job, keptLimit: { jobs: 9, bytes: 1e9 } }).answer).toMatchObject({ created: true })
    for (const length of [5_000, 6_000])
      expect('refused' in first.apply(job.header.id, growing(length)).answer).toBe(false)
    first.write()
    expect(asked.filter((sql) => sql.includes('FROM kept'))).toHaveLength(1)
    expect(asked.filter((sql) => sql.includes('count('))).toEqual([])
  })

  test('a group knows what it has changed itself', () => {
    const { group } = setUp()
    const decided = group()
    const limits = { liveLimit: 2, keptLimit: { jobs: 2, bytes: 1e9 } }
    const jobs = [newJob(), newJob(), newJob()].map((job) => ({ ...job, ...limits }))
    const answers = jobs.map((job) => 'refused' in decided.create(job).answer)
    expect(answers).toEqual([false, false, true])
    const [one, , three] = jobs
    decided.remove(one?.header.id ?? '')
    expect(three && 'refused' in decided.create(three).answer).toBe(false)
  })
})
