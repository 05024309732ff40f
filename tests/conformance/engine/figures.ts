import { describe, expect, test } from 'bun:test'
import { batchOf, newJob, type OpenEngine } from '../fixtures.ts'

/** What engines that count from indexes tell of all that they have. Each test has an engine of its own. */
export function describeFigures(open: OpenEngine): void {
  describe('figures', () => {
    test('figures counts jobs by status and kind, up to a number, and the creators with the largest documents', async () => {
      const { engine, release } = await open()
      for (let n = 0; n < 12; n += 1) {
        const id = `j${n}`
        const title = n === 3 ? 't'.repeat(10_000) : 't'
        await engine.create(
          newJob({ id, kind: n < 5 ? 'kind "a"' : `k${n}`, title, createdBy: n === 3 ? 'ä"b' : 'ada' }),
        )
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
      if (engine.name !== 'memory') expect(all?.bytes).toBeGreaterThan(0)
      for (let n = 0; n < 30; n += 1)
        await engine.create(newJob({ id: `m${n}`, kind: `more ${n}`, title: 't', createdBy: `p${n}` }))
      const most = await engine.figures?.(1_000)
      expect([most?.byKind.length, most?.creators.length]).toEqual([20, 10])
      await release()
    })

    test('figures follow documents that grow, and forget kinds and creators without jobs', async () => {
      const { engine, release } = await open()
      await engine.create(newJob({ id: 'one', kind: 'a', createdBy: 'ada' }))
      await engine.create(newJob({ id: 'two', kind: 'b', createdBy: 'bob' }))
      await engine.create(newJob({ id: 'three', kind: 'b', createdBy: 'bob' }))
      const metadata = { text: 'x'.repeat(15_000) }
      await engine.apply('one', batchOf([{ type: 'status', status: 'running', metadata }]))
      const figures = async () => {
        const { byKind, creators } = (await engine.figures?.(100)) ?? { byKind: [], creators: [] }
        return [...byKind.map(({ kind, jobs }) => `${kind}: ${jobs}`), ...creators.map(({ sub }) => sub)]
      }
      expect(await figures()).toEqual(['a: 1', 'b: 2', 'ada', 'bob'])
      await engine.remove('two')
      expect(await figures()).toEqual(['a: 1', 'b: 1', 'ada', 'bob'])
      await engine.remove('one')
      expect(await figures()).toEqual(['b: 1', 'bob'])
      await engine.remove('three')
      expect(await figures()).toEqual([])
      await release()
    })
  })
}
