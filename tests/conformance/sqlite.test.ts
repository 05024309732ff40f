import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteEngine } from '../../server/engines/sqlite/engine.ts'
import { describeEngine } from './engine/engine.ts'
import type { OpenEngine } from './fixtures.ts'

const open: OpenEngine = async (limits) => {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
  const engine = await SqliteEngine.open(join(folder, 'milepost.db'), limits && { limits })
  return {
    engine,
    async release() {
      await engine.close()
      await rm(folder, { recursive: true })
    },
  }
}

describeEngine('sqlite', open)
describeEngine('sqlite', open, { tenant: 'acme', lawRuns: 20 })
