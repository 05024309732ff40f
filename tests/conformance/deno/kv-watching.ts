import { describe, expect, test } from 'bun:test'
import type { Change } from '../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { settle, VirtualClock } from '../../virtual-clock.ts'
import { batchOf, created, publish, taken, WakeLog } from '../fixtures.ts'
import { publishElsewhere, replace, Store } from './kv-stores.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const told = (changes: Change[]) => changes.map(({ id, from, to, removed }) => ({ id, from, to, removed }))

/** How watchers hear of what other engines and processes do. */
export function describeWatching(): void {
  describe('watching', () => {
    test('watch of a job hears through the store what another engine does', async () => {
      await using store = await Store.create()
      const [here, elsewhere] = [await store.engine(), await store.engine()]
      const { id, epoch } = await created(elsewhere)
      const log = new WakeLog()
      const unwatch = await here.watch({ job: id }, log.wake)
      const header = taken(await elsewhere.apply(id, batchOf([progress(1), { type: 'log', message: 'm' }])))
      await log.until(({ to }) => to === 3)
      expect(log.changes).toEqual([{ id, epoch, from: 1, to: 3, header }])
      await elsewhere.remove(id)
      await log.until(({ removed }) => removed === true)
      await created(elsewhere, { id, epoch: 'e2' })
      await log.until((change) => change.epoch === 'e2')
      expect(told(log.changes).slice(1)).toEqual([
        { id, from: 3, to: 3, removed: true },
        { id, from: 0, to: 1, removed: undefined },
      ])
      unwatch()
    })

    test('watch of an owner hears through the store of each job that another engine changes', async () => {
      await using store = await Store.create()
      const [here, elsewhere] = [await store.engine(), await store.engine()]
      const before = await created(elsewhere, { owner: 'o' })
      const log = new WakeLog()
      const unwatch = await here.watch({ owner: 'o' }, log.wake)
      const jobs = [await created(elsewhere, { owner: 'o' }), await created(elsewhere, { owner: 'o' })]
      await created(elsewhere, { owner: 'p' })
      for (const { id } of jobs) await publish(elsewhere, id, [progress(1)])
      await elsewhere.remove(before.id)
      await log.until(({ removed }) => removed === true)
      for (const { id } of jobs) await log.until((change) => change.id === id && change.to === 2)
      expect(new Set(log.changes.map(({ id }) => id))).toEqual(new Set([before, ...jobs].map(({ id }) => id)))
      for (const { id } of jobs) {
        const versions = log.changes.filter((change) => change.id === id).map(({ to }) => to)
        expect(versions).toEqual([...new Set(versions)].sort())
      }
      unwatch()
    })

    for (const way of ['watched', 'polled'] as const) {
      test(`watch of what is ${way} tells of what this engine does at once, with its events, and not a second time`, async () => {
        await using store = await Store.create()
        const clock = new VirtualClock()
        const here = await store.engine({ clock, ...(way === 'polled' ? { pollMs: 1_000 } : {}) })
        const { id, owner } = await created(here)
        const logs = [new WakeLog(), new WakeLog()] as const
        const unwatches = [await here.watch({ job: id }, logs[0].wake), await here.watch({ owner }, logs[1].wake)]
        for (const done of [1, 2, 3]) {
          taken(await here.apply(id, batchOf([progress(done)])))
          await settle()
          for (const { changes } of logs)
            expect(changes.at(-1)?.events?.map(({ version }) => version)).toEqual([done + 1])
        }
        await clock.advance(10_000)
        await here.check()
        for (const { changes } of logs) expect(changes).toHaveLength(3)
        for (const unwatch of unwatches) unwatch()
      })
    }

    test('watch hears of another process, where the store says nothing, when it is next polled', async () => {
      await using store = await Store.create()
      const clock = new VirtualClock()
      const here = await store.engine({ clock, pollMs: 1_000 })
      const { id, owner } = await created(here)
      const logs = [new WakeLog(), new WakeLog()] as const
      const unwatches = [await here.watch({ job: id }, logs[0].wake), await here.watch({ owner }, logs[1].wake)]
      expect((await publishElsewhere(store.path, id, 5)).code).toBe(0)
      expect(logs.map(({ changes }) => changes)).toEqual([[], []])
      await clock.advance(1_000)
      for (const log of logs) {
        await log.until(({ to }) => to === 6)
        expect(told(log.changes)).toEqual([{ id, from: 1, to: 6, removed: undefined }])
      }
      for (const unwatch of unwatches) unwatch()
      await clock.advance(1_000)
      expect(clock.pending).toBe(0)
    })

    test('watch that the store ends, however it does, is lost', async () => {
      await using store = await Store.create()
      const streams: ReadableStreamDefaultController[] = []
      const breaking = (kv: Deno.Kv) =>
        replace(kv, {
          watch: () =>
            new ReadableStream({
              start(controller) {
                streams.push(controller)
                controller.enqueue([{ key: [], value: null, versionstamp: null }])
              },
            }),
        })
      const engine = await store.engine({}, breaking)
      const lost: string[] = []
      await engine.watch(
        { job: 'a' },
        () => {},
        () => lost.push('job'),
      )
      await engine.watch(
        { owner: 'a' },
        () => {},
        () => lost.push('owner'),
      )
      const unwatch = await engine.watch(
        { job: 'b' },
        () => {},
        () => lost.push('unwatched'),
      )
      unwatch()
      streams[0]?.error(new Error('The store is away'))
      streams[1]?.close()
      while (lost.length < 2) await engine.check()
      expect(lost).toEqual(['job', 'owner'])
    })
  })
}
