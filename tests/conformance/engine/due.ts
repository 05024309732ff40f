import { describe, expect, test } from 'bun:test'
import type { DeliveryChange } from '../../../server/jobs/background/deliveries.ts'
import { CANCEL_GRACE, MISSED_HEARTBEATS } from '../../../server/jobs/background/due.ts'
import type { DueList, DueQuery, Engine } from '../../../server/jobs/engine.ts'
import { instantOf } from '../../arbitraries.ts'
import { batchOf, created, newJob, publish, type Subject, taken, unique } from '../fixtures.ts'

/** The moment of the event at a version, in milliseconds. */
const moment = (version: number) => Date.parse(instantOf(version))

/** How the server hears of what it has to do by itself. Tests share the engine, so each looks for its own jobs. */
export function describeDue(subject: Subject): void {
  const due = async (ids: string[], before: number, list: DueList = 'end') => {
    const { engine } = subject as { engine: Required<Engine> }
    const jobs = await engine.due({ list, before, limit: 10_000 })
    return jobs.map(({ id }) => id).filter((id) => ids.includes(id))
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

    test('due names a running job whose producer has missed its heartbeats, each minute that it is heard at a later time', async () => {
      const { engine } = subject
      const { id } = await created(engine, { heartbeatSeconds: 60 })
      const silence = MISSED_HEARTBEATS * 60_000
      expect(await due([id], moment(1e6))).toEqual([])
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running' }], { at: instantOf(60) })))
      for (const second of [61, 100, 120]) {
        taken(await engine.apply(id, batchOf([{ type: 'progress', done: second }], { at: instantOf(second) })))
        expect(await due([id], moment(120) + silence - 1)).toEqual([])
        expect(await due([id], moment(120) + silence)).toEqual([id])
      }
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'paused' }], { at: instantOf(130) })))
      expect(await due([id], moment(1e6))).toEqual([])
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running' }], { at: instantOf(190) })))
      expect(await due([id], moment(240) + silence - 1)).toEqual([])
      const now = moment(240) + silence
      expect(await due([id], now)).toEqual([id])
      const decide = { now, since: 0, steps: [], retentionSeconds: 60 }
      expect(taken(await engine.apply(id, batchOf([], { decide })))).toMatchObject({ status: 'failed', errorCount: 1 })
      expect(await due([id], moment(1e6))).toEqual([])
    })

    test('due names a job with an open ask when the time for it is over, and none that waits for missed heartbeats', async () => {
      const { engine } = subject
      const { id } = await created(engine, { heartbeatSeconds: 1 })
      const ask = { type: 'ask', id: 'a', message: 'Go on?' } as const
      const running = { type: 'status', status: 'running' } as const
      taken(await engine.apply(id, batchOf([running, ask], { at: instantOf(1) })))
      expect(await due([id], moment(1e6))).toEqual([])
      taken(await engine.apply(id, batchOf([{ ...ask, expiresAt: instantOf(500) }], { at: instantOf(2) })))
      expect(await due([id], moment(500) - 1)).toEqual([])
      expect(await due([id], moment(500))).toEqual([id])
      const decide = { now: moment(500), since: 0, steps: [], retentionSeconds: 60 }
      const header = taken(await engine.apply(id, batchOf([], { at: instantOf(500), decide })))
      expect(header).toMatchObject({ status: 'running', version: 5, asks: [{ id: 'a', expired: true }] })
      // From here on it is to be heard of again.
      expect(await due([id], moment(1e6))).toEqual([id])
      expect(header.lastEventAt).toBe(instantOf(500))
    })

    test('due names an ended job when it expires, and no longer for its time-out', async () => {
      const { engine } = subject
      const end = { type: 'status', status: 'completed' } as const
      const { id } = await created(engine, { timeoutSeconds: 10 })
      taken(await engine.apply(id, batchOf([end], { at: instantOf(5), retentionSeconds: 100 })))
      expect(await due([id], moment(200))).toEqual([])
      expect(await due([id], moment(105) - 1, 'expire')).toEqual([])
      expect(await due([id], moment(105), 'expire')).toEqual([id])
      await engine.remove(id)
      expect(await due([id], moment(105), 'expire')).toEqual([])
    })

    test('due names a job in which no expiry is written by its end, among its like', async () => {
      const { engine } = subject
      const { id } = await created(engine, { timeoutSeconds: 1 })
      await publish(engine, id, [{ type: 'status', status: 'completed' }])
      expect(await due([id], moment(2) - 1, 'ended')).toEqual([])
      expect(await due([id], moment(2), 'ended')).toEqual([id])
      for (const list of ['end', 'expire'] as const) expect(await due([id], moment(1e6), list)).toEqual([])
    })

    test('due names an ended job with deliveries by the next one, and for its expiry only when there are none any more', async () => {
      const { engine } = subject
      const job = newJob()
      await engine.create({ ...job, marks: { ...job.marks, notify: ['https://receiver.example/'] } })
      const { id } = job.header
      const end = { type: 'status', status: 'completed' } as const
      taken(await engine.apply(id, batchOf([end], { at: instantOf(5), retentionSeconds: 100 })))
      const [first] = (await engine.read(id))?.marks.deliveries ?? []
      if (!first) throw new Error('Nothing is to be delivered')
      const change = async (delivery: DeliveryChange) =>
        taken(await engine.apply(id, batchOf([], { decide: { delivery } })))
      expect([await due([id], moment(5) - 1, 'deliver'), await due([id], moment(5), 'deliver')]).toEqual([[], [id]])
      const later = { ...first, tries: 1, at: moment(500) }
      await change({ from: first, to: later })
      expect([await due([id], moment(500) - 1, 'deliver'), await due([id], moment(500), 'deliver')]).toEqual([[], [id]])
      const expired = { now: moment(200), since: 0, steps: [], retentionSeconds: 100 }
      expect([await due([id], moment(200), 'expire'), await engine.remove(id, { expired })]).toEqual([[], false])
      await change({ from: later })
      expect([await due([id], moment(500), 'deliver'), await due([id], moment(105), 'expire')]).toEqual([[], [id]])
      expect(await engine.remove(id, { expired })).toBe(true)
    })

    test('due names a live job with deliveries by them or its deadline, whichever comes first', async () => {
      const { engine } = subject
      const { id } = await created(engine, { timeoutSeconds: 10 })
      const event = { type: 'job.failed', version: 1, occurredAt: instantOf(1), tries: 0 } as const
      const delivery = { url: 'https://receiver.example/', ...event, at: moment(5) }
      taken(await engine.apply(id, batchOf([], { decide: { delivery: { to: delivery } } })))
      expect([await due([id], moment(5), 'deliver'), await due([id], moment(100), 'end')]).toEqual([[id], []])
      const later = { ...delivery, tries: 1, at: moment(50) }
      taken(await engine.apply(id, batchOf([], { decide: { delivery: { from: delivery, to: later } } })))
      expect([await due([id], moment(10) - 1, 'deliver'), await due([id], moment(10), 'deliver')]).toEqual([[], [id]])
      taken(await engine.apply(id, batchOf([], { decide: { delivery: { from: later } } })))
      expect([await due([id], moment(100), 'deliver'), await due([id], moment(10), 'end')]).toEqual([[], [id]])
    })

    test('due goes through its list page by page, the earliest first, whatever is removed meanwhile', async () => {
      const { engine } = subject as { engine: Required<Engine> }
      // Before everything that other tests have made.
      const createdAt = '2000-01-01T00:00:00.000Z'
      const start = Date.parse(createdAt)
      const createdBy = unique('creator')
      const ids: string[] = []
      for (const timeoutSeconds of [30, 10, 20, 20])
        ids.push((await created(engine, { createdAt, timeoutSeconds, createdBy })).id)
      const [a = '', b = '', c = '', d = ''] = ids
      const page = (query: Partial<DueQuery>) =>
        engine.due({ list: 'end', before: start + 60_000, limit: 10, ...query })
      const inOrder = [
        { id: b, at: start + 10_000, createdBy },
        ...[c, d].sort().map((id) => ({ id, at: start + 20_000, createdBy })),
        { id: a, at: start + 30_000, createdBy },
      ]
      expect(await page({})).toEqual(inOrder)
      expect(await page({ before: start + 20_000 })).toEqual(inOrder.slice(0, 3))
      expect(await page({ limit: 2 })).toEqual(inOrder.slice(0, 2))
      await engine.remove(inOrder[1]?.id ?? '')
      for (const [index, after] of inOrder.entries()) {
        const rest = inOrder.slice(index + 1).filter((_, place) => index + 1 + place !== 1)
        expect(await page({ after })).toEqual(rest)
      }
      for (const id of ids) await engine.remove(id)
      expect(await page({})).toEqual([])
    })
  })
}
