/** A process that shares a store with the test: `deno run kv-publisher.ts PATH JOB COUNT` applies so many batches. */
import { DenoKvEngine } from '../../../server/engines/deno-kv/engine.ts'

const [path = '', id = '', count = ''] = Deno.args
const engine = await DenoKvEngine.open(path)
for (let done = 1; done <= Number(count); done++) {
  const events = [{ type: 'progress' as const, done }]
  const applied = await engine.apply(id, { events, at: new Date(done * 1_000).toISOString() })
  if ('refused' in applied) throw new Error(applied.refused.detail)
}
await engine.close()
