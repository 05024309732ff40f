import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { SqliteEngine } from '../../../../server/engines/sqlite/engine.ts'
import type { Engine } from '../../../../server/jobs/engine.ts'
import { batchOf, newJob } from '../../../conformance/fixtures.ts'

const folder = await mkdtemp(join(tmpdir(), 'milepost-figures-'))
afterAll(() => rm(folder, { recursive: true }))

const open: Record<string, () => Promise<Engine>> = {
  memory: async () => new MemoryEngine(),
  sqlite: () => SqliteEngine.open(join(folder, 'jobs.db')),
}

describe.each(Object.keys(open))('figures of %s', (name) => {
  test('figures counts jobs by status and kind, up to a number, and the creators with the largest documents', async () => {
    const engine = (await open[name]?.()) as Engine
    for (let n = 0; n < 12; n += 1) {
      const id = `j${n}`
      const title = n === 3 ? 't'.repeat(10_000) : 't'
      await engine.create(newJob({ id, kind: n < 5 ? 'kind "a"' : `k${n}`, title, createdBy: n === 3 ? 'ä"b' : 'ada' }))
      if (n < 2) await engine.apply(id, batchOf([{ type: 'status', status: 'completed' }]))
    }
    const all = await engine.figures?.(1_000)
    expect(all?.byStatus).toMatchObject({ pending: 10, completed: 2 })
    expect(all?.byKind.find(({ kind }) => kind === 'kind "a"')).toEqual({ kind: 'kind "a"', jobs: 5 })
    expect(all?.byKind.length).toBe(8)
    expect(all?.creators.map(({ sub, live, jobs }) => [sub, live, jobs])).toEqual([
      ['ada', 9, 11],
      ['ä"b', 1, 1],
    ])
    expect(all?.creators.map(({ bytes }) => bytes % 4_096)).toEqual([0, 0])
    const few = await engine.figures?.(4)
    expect(few?.byStatus).toMatchObject({ pending: 4, completed: 2 })
    expect(few?.byKind.find(({ kind }) => kind === 'kind "a"')?.jobs).toBe(4)
    expect(few?.creators[0]?.live).toBe(4)
    if (name === 'sqlite') expect(all?.bytes).toBeGreaterThan(0)
    for (let n = 0; n < 30; n += 1)
      await engine.create(newJob({ id: `m${n}`, kind: `more ${n}`, title: 't', createdBy: `p${n}` }))
    const most = await engine.figures?.(1_000)
    expect([most?.byKind.length, most?.creators.length]).toEqual([20, 10])
    await engine.close()
  })
})
