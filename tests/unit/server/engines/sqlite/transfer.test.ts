import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { created, publish } from '../../../../conformance/fixtures.ts'

test('transfer leaves nothing of a replaced job to be deleted later, when another has its rows', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
  const path = join(folder, 'jobs.db')
  const engine = await SqliteEngine.open(path)
  const { id } = await created(engine)
  await publish(engine, id, [{ type: 'item', id: 'a', status: 'running' }])
  const [record, before] = [await engine.transfer.readRecord(id), await engine.read(id)]
  if (!record || !before) throw new Error('The job was created')
  expect(await engine.transfer.writeRecord(record, before)).toBe(true)
  const db = new DatabaseSync(path, { readOnly: true })
  expect(db.prepare('SELECT (SELECT count(*) FROM trash) AS trash, (SELECT count(*) FROM rows) AS rows').get()).toEqual(
    {
      trash: 0,
      rows: 1,
    },
  )
  db.close()
  await engine.close()
  await rm(folder, { recursive: true })
})
