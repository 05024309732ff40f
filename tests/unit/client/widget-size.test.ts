import { describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'

/** What the element may weigh on the wire: bytes, with gzip. All of it is read before a job is seen. */
const BUDGET = 15_500

describe('define.ts', () => {
  test('define.ts is a small bundle: everything that the element needs, and no schemas', async () => {
    const entrypoint = fileURLToPath(new URL('../../../client/define.ts', import.meta.url))
    const { outputs } = await Bun.build({ entrypoints: [entrypoint], target: 'browser', minify: true })
    const text = (await outputs[0]?.text()) ?? ''
    expect([text.includes('"job-progress"'), text.includes('ZodError')]).toEqual([true, false])
    expect(Bun.gzipSync(Buffer.from(text), { level: 9 }).length).toBeLessThan(BUDGET)
  })
})
