import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryEngine } from '../../server/engines/memory.ts'
import { SqliteEngine } from '../../server/engines/sqlite/engine.ts'
import { description, fuzz } from './fuzz.ts'
import { operationsOf } from './requests/plans.ts'
import { worldLimits } from './world/world.ts'

/** Bytes that the heap may have more after a run than before it: what is kept for every job and principal is bounded. */
const GROWTH = 24 * 2 ** 20

const heapUsed = () => {
  Bun.gc(true)
  return process.memoryUsage().heapUsed
}

describe('fuzz', () => {
  test('fuzz: whatever is asked of all that there is, nothing fails, leaks, is not escaped, or shows what is another’s', async () => {
    const counts = await fuzz({ engine: new MemoryEngine({ limits: worldLimits }), seed: 1, requests: 4_000 })
    const statuses = (operation: string) =>
      [...counts.keys()].filter((key) => key.startsWith(`${operation} `)).map((key) => Number(key.split(' ').at(-1)))
    // All of it was done, and all of it was refused: else little would be known of it.
    for (const operation of operationsOf(description)) {
      // No WebSocket can be opened without a runtime.
      const isDone = operation === 'GET /api/report' || statuses(operation).some((status) => status < 400)
      expect([operation, isDone]).toEqual([operation, true])
      if (operation.includes(' /api/'))
        expect([operation, statuses(operation).some((status) => status >= 400)]).toEqual([operation, true])
    }
  }, 120_000)

  test('fuzz: the same on SQLite', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-fuzz-'))
    const engine = await SqliteEngine.open(join(folder, 'jobs.db'), { limits: worldLimits })
    try {
      await fuzz({ engine, seed: 2, requests: 1_500 })
    } finally {
      await engine.close()
      await rm(folder, { recursive: true })
    }
  }, 120_000)

  test('fuzz: memory does not grow with the number of requests', async () => {
    const used: number[] = []
    const onProgress = () => used.push(heapUsed())
    await fuzz({ engine: new MemoryEngine({ limits: worldLimits }), seed: 3, requests: 9_000, onProgress })
    expect(used.length).toBeGreaterThan(2)
    expect((used.at(-1) ?? 0) - (used[0] ?? 0)).toBeLessThan(GROWTH)
  }, 120_000)
})
