/** The engine suite inside Deno, on a real store: prints a line of JSON for each test that has ended. */

import { DenoKvEngine } from '../../../server/engines/deno-kv.ts'
import { describeEngine } from '../engine.ts'
import { run } from './bun-test.ts'

describeEngine('deno-kv', async (limits) => {
  const folder = await Deno.makeTempDir({ prefix: 'milepost-' })
  const engine = await DenoKvEngine.open(`${folder}/milepost.kv`, limits && { limits })
  return {
    engine,
    async release() {
      await engine.close()
      await Deno.remove(folder, { recursive: true })
    },
  }
})

await run((result) => console.log(JSON.stringify(result)))
