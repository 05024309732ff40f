import { describe, expect, test } from 'bun:test'
import { bundle } from '../../../server/cli/build/bundle.ts'

/** What `/widget.js` may weigh on the wire: bytes, with gzip. All of it is read before a job is seen. */
const BUDGET = 11 * 1024

describe('define.ts', () => {
  test('define.ts is a small bundle, as it is served: everything that the element needs, and no schemas', async () => {
    const text = await bundle('client/element/define.ts')
    expect([text.includes('job-progress'), text.includes('ZodError')]).toEqual([true, false])
    expect(Bun.gzipSync(Buffer.from(text), { level: 9 }).length).toBeLessThanOrEqual(BUDGET)
  })
})
