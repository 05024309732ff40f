/** The engine suite inside Deno, on real stores, and what is particular to this engine: prints a line of JSON for each test that has ended. */
import { DenoKvEngine } from '../../../server/engines/deno-kv/engine.ts'
import { describeEngine } from '../engine/engine.ts'
import type { OpenEngine } from '../fixtures.ts'
import { describe, run } from './bun-test.ts'
import { describeOpening } from './kv-opening.ts'
import { describeSharing } from './kv-sharing.ts'
import { describeSize } from './kv-size.ts'
import { describeWatching } from './kv-watching.ts'

const open: OpenEngine = async (limits) => {
  const folder = await Deno.makeTempDir({ prefix: 'milepost-' })
  const engine = await DenoKvEngine.open(`${folder}/milepost.kv`, limits && { limits })
  return {
    engine,
    async release() {
      await engine.close()
      await Deno.remove(folder, { recursive: true })
    },
  }
}

describeEngine('deno-kv', open, { isFixed: true, lawRuns: 60 })
describeEngine('deno-kv', open, { lawRuns: 10, tenant: 'acme' })

describe('DenoKvEngine', () => {
  describeOpening()
  describeSize()
  describeSharing()
  describeWatching()
})

await run((result) => console.log(JSON.stringify(result)))
