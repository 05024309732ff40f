import { describe, expect, test } from 'bun:test'
import type { Engine, ListQuery } from '../../../server/jobs/engine.ts'
import type { JobHeader } from '../../../shared/document/job.ts'
import { batchOf, created, publish, type Subject, taken, unique, WakeLog } from '../fixtures.ts'

/**
 * What is asked of everyone's jobs together. Tests share an engine, and so ask of a kind, or of the newest.
 *
 * @param isRemote answers come a moment after wake-ups may
 */
export function describeEveryone(subject: Subject, isOffered: boolean, isRemote = false): void {
  if (!isOffered) {
    test('everyone is not asked about, for the engine knows jobs by their owner alone', async () => {
      expect(subject.engine.knowsOwnersOnly).toBe(true)
      const refused = await subject.engine.list({ owner: undefined, limit: 1 }).catch(String)
      expect(String(refused).endsWith('Durable Objects find jobs by their owner only')).toBe(true)
    })
    return
  }

  describe('list of everyone', () => {
    test('list of everyone answers the jobs of all owners, newest first, as they are now', async () => {
      const { engine } = subject
      expect(engine.knowsOwnersOnly).toBeUndefined()
      const kind = unique('kind')
      const first = await created(engine, { owner: unique('owner'), kind })
      const second = await created(engine, { owner: unique('owner'), kind })
      const header = taken(await engine.apply(first.id, batchOf([{ type: 'status', status: 'running' }])))
      expect(await engine.list({ owner: undefined, kind, limit: 10 })).toEqual({ rows: [second, header] })
      expect((await engine.list({ owner: undefined, limit: 2 })).rows).toEqual([second, header])
      await engine.remove(second.id)
      expect(await engine.list({ owner: undefined, kind, limit: 10 })).toEqual({ rows: [header] })
    })

    test('list of everyone keeps to each filter, and to several together, in pages', async () => {
      const { engine } = subject
      const [kind, parentId] = [unique('kind'), unique('parent')]
      const make = (fields: Partial<JobHeader>) =>
        created(engine, { owner: unique('owner'), kind, parentId, ...fields })
      const a = await make({ status: 'pending' })
      const b = await make({ kind: unique('kind'), status: 'running' })
      const c = await make({ status: 'completed' })
      const d = await make({ parentId: unique('parent'), status: 'failed' })
      const cases: [Omit<ListQuery, 'owner' | 'limit'>, JobHeader[]][] = [
        [{ kind }, [d, c, a]],
        [{ parentId }, [c, b, a]],
        [{ kind, live: true }, [a]],
        [{ kind, live: false }, [d, c]],
        [{ parentId, live: true }, [b, a]],
        [{ parentId, status: 'running' }, [b]],
        [{ kind, status: 'failed', live: true }, []],
        [{ kind, parentId, status: 'completed' }, [c]],
      ]
      for (const [query, rows] of cases) {
        expect(await engine.list({ owner: undefined, limit: 10, ...query })).toEqual({ rows })
        expect(await everyPage(engine, { owner: undefined, limit: 1, ...query })).toEqual(rows)
      }
      expect((await engine.list({ owner: undefined, live: true, limit: 2 })).rows).toEqual([b, a])
      expect((await engine.list({ owner: undefined, status: 'failed', limit: 1 })).rows).toEqual([d])
      await publish(engine, b.id, [{ type: 'status', status: 'completed' }])
      expect((await engine.list({ owner: undefined, live: true, limit: 1 })).rows).toEqual([a])
    })
  })

  describe('watch of everyone', () => {
    test('watch of everyone wakes for the creation, changes and removal of all jobs, until it ends', async () => {
      const { engine } = subject
      const log = new WakeLog()
      const unwatch = await engine.watch({ all: true }, log.wake)
      const a = await created(engine, { owner: unique('owner'), epoch: 'ea' })
      const b = await created(engine, { owner: unique('owner'), epoch: 'eb' })
      await publish(engine, a.id, [{ type: 'status', status: 'completed' }])
      await engine.remove(b.id)
      await log.until(({ removed }) => removed === true)
      const told = log.changes.map(({ id, epoch, from, to, removed }) => ({ id, epoch, from, to, removed }))
      expect(told).toEqual([
        { id: a.id, epoch: 'ea', from: 0, to: 1, removed: undefined },
        { id: b.id, epoch: 'eb', from: 0, to: 1, removed: undefined },
        { id: a.id, epoch: 'ea', from: 1, to: 2, removed: undefined },
        { id: b.id, epoch: 'eb', from: 1, to: 1, removed: true },
      ])
      unwatch()
      const stays = new WakeLog()
      const unwatchStays = await engine.watch({ all: true }, stays.wake)
      await created(engine)
      await stays.until(({ to }) => to === 1)
      expect(log.changes).toHaveLength(4)
      unwatchStays()
    })

    test('watch of everyone wakes after the answer to whoever made the change', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const order: string[] = []
      const log = new WakeLog()
      const unwatch = await engine.watch({ all: true }, (change) => {
        if (change.to === 2) order.push('wake')
        log.wake(change)
      })
      const answered = engine.apply(id, batchOf([{ type: 'progress', done: 1 }])).then(() => order.push('answer'))
      await Promise.all([answered, log.until(({ to }) => to === 2)])
      expect(isRemote ? order.sort() : order).toEqual(['answer', 'wake'])
      unwatch()
    })
  })
}

async function everyPage(engine: Engine, query: ListQuery): Promise<JobHeader[]> {
  const rows: JobHeader[] = []
  for (let next: ListQuery | undefined = query; next; ) {
    const { rows: page, nextCursor }: Awaited<ReturnType<Engine['list']>> = await engine.list(next)
    rows.push(...page)
    next = nextCursor === undefined ? undefined : { ...query, cursor: nextCursor }
  }
  return rows
}
