import { describe, expect, test } from 'bun:test'
import { CANCEL_GRACE } from '../../server/due.ts'
import type { Engine } from '../../server/engine.ts'
import { instantOf } from '../arbitraries.ts'
import { batchOf, created, publish, type Subject, taken } from './fixtures.ts'

/** The moment of the event at a version, in milliseconds. */
const moment = (version: number) => Date.parse(instantOf(version))

/** How the server hears of what it has to do by itself. Tests share the engine, so each looks for its own jobs. */
export function describeDue(subject: Subject): void {
  const due = async (ids: string[], before: number) => {
    const { engine } = subject as { engine: Required<Engine> }
    return (await engine.due(before, 10_000)).filter((id) => ids.includes(id))
  }

  describe('due', () => {
    test('due names a job from its time-out on, which runs from its start once it has one', async () => {
      const { engine } = subject
      const { id } = await created(engine, { timeoutSeconds: 10 })
      expect(await due([id], moment(10) - 1)).toEqual([])
      expect(await due([id], moment(10))).toEqual([id])
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running' }], { at: instantOf(5) })))
      expect(await due([id], moment(15) - 1)).toEqual([])
      expect(await due([id], moment(15))).toEqual([id])
    })

    test('due takes a time-out of any length', async () => {
      const { engine } = subject
      const short = await created(engine, { timeoutSeconds: 0.000_1 })
      const long = await created(engine, { timeoutSeconds: 1e300 })
      expect(await due([short.id, long.id], moment(1))).toEqual([short.id])
    })

    test('due names a job that was asked to stop, once its producer has been silent for a minute', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const control = batchOf([{ type: 'control', cancelRequested: true }], { at: instantOf(5) })
      taken(await engine.apply(id, control))
      expect(await due([id], moment(5) + CANCEL_GRACE - 1)).toEqual([])
      expect(await due([id], moment(5) + CANCEL_GRACE)).toEqual([id])
      taken(await engine.apply(id, batchOf([{ type: 'progress', done: 1 }], { at: instantOf(30) })))
      expect(await due([id], moment(30) + CANCEL_GRACE - 1)).toEqual([])
      expect(await due([id], moment(30) + CANCEL_GRACE)).toEqual([id])
    })

    test('due names an ended job when it expires, and no longer for its time-out', async () => {
      const { engine } = subject
      const end = { type: 'status', status: 'completed' } as const
      const kept = await created(engine, { timeoutSeconds: 10 })
      await publish(engine, kept.id, [end])
      const expires = await created(engine, { timeoutSeconds: 10 })
      taken(await engine.apply(expires.id, batchOf([end], { at: instantOf(5), retentionSeconds: 100 })))
      expect(await due([kept.id, expires.id], moment(105) - 1)).toEqual([])
      expect(await due([kept.id, expires.id], moment(105))).toEqual([expires.id])
      await engine.remove(expires.id)
      expect(await due([kept.id, expires.id], moment(105))).toEqual([])
    })

    test('due names the earliest first, and no more than asked for', async () => {
      const { engine } = subject as { engine: Required<Engine> }
      // Before everything that other tests have made.
      const createdAt = '2000-01-01T00:00:00.000Z'
      const ids: string[] = []
      for (const timeoutSeconds of [30, 10, 20]) ids.push((await created(engine, { createdAt, timeoutSeconds })).id)
      const [a = '', b = '', c = ''] = ids
      expect(await engine.due(Date.parse(createdAt) + 60_000, 10)).toEqual([b, c, a])
      expect(await engine.due(Date.parse(createdAt) + 60_000, 2)).toEqual([b, c])
      expect(await engine.due(Date.parse(createdAt) + 15_000, 2)).toEqual([b])
      for (const id of ids) await engine.remove(id)
      expect(await engine.due(Date.parse(createdAt) + 60_000, 10)).toEqual([])
    })
  })
}
