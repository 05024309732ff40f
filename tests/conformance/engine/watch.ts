import { describe, expect, test } from 'bun:test'
import type { Change } from '../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { foldAll } from '../../arbitraries.ts'
import { batchOf, created, newJob, publish, type Subject, taken, unique, WakeLog } from '../fixtures.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })

/**
 * How watchers are woken.
 *
 * @param isRemote answers and wake-ups come over connections of their own, each as fast as it can
 */
export function describeWatch(subject: Subject, isRemote = false): void {
  describe('watch', () => {
    test('watch of a job wakes after the commit, in order, up to the newest version', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const log = new WakeLog()
      const seen: Promise<void>[] = []
      const unwatch = await engine.watch({ job: id }, (change) => {
        seen.push(
          engine.read(id).then((job) => {
            expect(job?.header.version).toBeGreaterThanOrEqual(change.to)
          }),
        )
        log.wake(change)
      })
      await Promise.all(Array.from({ length: 20 }, (_, index) => engine.apply(id, batchOf([progress(index)]))))
      await log.until(({ to }) => to === 21)
      await Promise.all(seen)
      let version = 1
      for (const change of log.changes) {
        expect(change).toMatchObject({ id, epoch })
        expect(change.from).toBeGreaterThanOrEqual(version)
        expect(change.to).toBeGreaterThan(change.from)
        version = change.to
      }
      unwatch()
    })

    test('watch tells, where it tells events or a header, those that were applied', async () => {
      const { engine } = subject
      const header = await created(engine)
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: header.id }, log.wake)
      const events: JobEvent[] = [progress(1), { type: 'item', id: 'a', label: 'A' }, { type: 'log', message: 'm' }]
      const after = taken(await engine.apply(header.id, batchOf(events)))
      await log.until(({ to }) => to === 4)
      const change = log.changes[0]
      if (change?.events) {
        const document = foldAll({ ...header, steps: [], items: [], errors: [], logs: [] }, change.events)
        expect(document).toMatchObject(after)
        expect(change.events.map(({ version }) => version)).toEqual([2, 3, 4])
      }
      expect(change?.header ?? after).toEqual(after)
      unwatch()
    })

    test('watch tells, where it tells events, those that a decision came to', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: id }, log.wake)
      const after = taken(await engine.apply(id, batchOf([], { decide: 'cancel' })))
      await log.until(({ to }) => to === 3)
      const [change] = log.changes
      if (change?.events)
        expect(change.events.map(({ type, version }) => [type, version])).toEqual([
          ['control', 2],
          ['status', 3],
        ])
      expect(change?.header ?? after).toEqual(after)
      unwatch()
    })

    test('watch of an owner wakes for the creation, changes and removal of all its jobs, and of no others', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const log = new WakeLog()
      const unwatch = await engine.watch({ owner }, log.wake)
      const stranger = await created(engine, { owner: unique('owner') })
      await publish(engine, stranger.id, [progress(1)])
      const a = await created(engine, { owner, epoch: 'ea' })
      const b = await created(engine, { owner, epoch: 'eb' })
      await log.until(({ id }) => id === b.id)
      await publish(engine, a.id, [{ type: 'status', status: 'completed' }])
      await log.until(({ id, to }) => id === a.id && to === 2)
      await engine.remove(b.id)
      await log.until(({ removed }) => removed === true)
      expect(log.changes.map(({ id, epoch, from, to, removed }) => ({ id, epoch, from, to, removed }))).toEqual([
        { id: a.id, epoch: 'ea', from: 0, to: 1, removed: undefined },
        { id: b.id, epoch: 'eb', from: 0, to: 1, removed: undefined },
        { id: a.id, epoch: 'ea', from: 1, to: 2, removed: undefined },
        { id: b.id, epoch: 'eb', from: 1, to: 1, removed: true },
      ])
      unwatch()
    })

    test('watch of a job tells of its removal', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: id }, log.wake)
      await engine.remove(id)
      await log.until(({ removed }) => removed === true)
      expect(log.changes.at(-1)).toMatchObject({ id, epoch, removed: true })
      unwatch()
    })

    test('watch wakes for nothing that changed nothing', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const key = { key: 'k', digest: 'd' }
      taken(await engine.apply(id, batchOf([progress(1)], { key })))
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: id }, log.wake)
      await engine.apply(id, batchOf([progress(2)], { createdBy: 'eve' }))
      await engine.apply(id, batchOf([progress(1)], { key }))
      await engine.create(newJob({ id }))
      await engine.remove(id, { epoch: 'another-life' })
      await publish(engine, id, [progress(3)])
      await log.until(({ to }) => to === 3)
      expect(log.changes).toHaveLength(1)
      unwatch()
    })

    test('watch ends for one watcher and goes on for the others', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const [gone, stays] = [new WakeLog(), new WakeLog()]
      const unwatch = await engine.watch({ job: id }, gone.wake)
      const unwatchStays = await engine.watch({ job: id }, stays.wake)
      unwatch()
      unwatch()
      await publish(engine, id, [progress(1)])
      await stays.until(({ to }) => to === 2)
      expect(gone.changes).toEqual([])
      unwatchStays()
    })

    test('watch wakes the others when one of them throws, and what was applied is answered', async () => {
      const { engine } = subject
      const { id, owner } = await created(engine, { owner: unique('owner') })
      const logs = [new WakeLog(), new WakeLog()]
      const fails = () => {
        throw new Error('a test asked for it')
      }
      const { error } = console
      const told: unknown[][] = []
      console.error = (...args: unknown[]) => told.push(args)
      try {
        const unwatches = [
          await engine.watch({ job: id }, fails),
          await engine.watch({ job: id }, (change) => logs[0]?.wake(change)),
          await engine.watch({ owner }, fails),
          await engine.watch({ owner }, (change) => logs[1]?.wake(change)),
        ]
        expect(taken(await engine.apply(id, batchOf([progress(1)]))).version).toBe(2)
        for (const log of logs) await log.until(({ to }) => to === 2)
        expect(taken(await engine.apply(id, batchOf([progress(2)]))).version).toBe(3)
        for (const log of logs) await log.until(({ to }) => to === 3)
        for (const unwatch of unwatches) unwatch()
      } finally {
        console.error = error
      }
      // Not every change is told by itself.
      expect(told.length).toBeGreaterThan(0)
    })

    test('watch wakes after the answer to whoever made the change', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const order: string[] = []
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: id }, (change) => {
        order.push('wake')
        log.wake(change)
      })
      const answered = engine.apply(id, batchOf([progress(1)])).then(() => order.push('answer'))
      await Promise.all([answered, log.until(({ to }) => to === 2)])
      expect(isRemote ? order.sort() : order).toEqual(['answer', 'wake'])
      unwatch()
    })

    test('watch may end from within its own wake', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const [once, stays] = [new WakeLog(), new WakeLog()]
      let unwatch = () => {}
      unwatch = await engine.watch({ job: id }, (change: Change) => {
        unwatch()
        once.wake(change)
      })
      const unwatchStays = await engine.watch({ job: id }, stays.wake)
      for (const done of [1, 2, 3]) await publish(engine, id, [progress(done)])
      await stays.until(({ to }) => to === 4)
      expect(once.changes).toHaveLength(1)
      unwatchStays()
    })
  })
}
