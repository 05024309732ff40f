import { afterAll, beforeAll } from 'bun:test'
import { describeEngine } from './engine.ts'
import { RemoteEngine } from './workers/remote-engine.ts'
import { Wrangler } from './workers/wrangler.ts'

let wrangler: Wrangler

beforeAll(async () => {
  wrangler = await Wrangler.start('tests/conformance/workers/wrangler.jsonc')
}, 60_000)

afterAll(() => wrangler.stop())

describeEngine(
  'durable-object',
  async (limits) => {
    const engine = await RemoteEngine.connect(wrangler.url, 'frozen-engine', { limits })
    return { engine, release: () => engine.close() }
  },
  { hasAlarms: true },
)
