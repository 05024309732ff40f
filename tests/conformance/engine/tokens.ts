import { describe, expect, test } from 'bun:test'
import { batchOf, created, documentOf, publish, refusal, type Subject, taken, unique, WakeLog } from '../fixtures.ts'
import { openLog } from '../stream-log.ts'

const progress = { type: 'progress', done: 1 } as const

/** How all tokens of a job end at once: the series that they are made in. */
export function describeTokens(subject: Subject): void {
  const endTokens = async (id: string) => taken(await subject.engine.apply(id, batchOf([], { decide: 'end-tokens' })))

  describe('end-tokens', () => {
    test('end-tokens begins the next series and leaves the document as it is, even when it has ended', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      await publish(engine, id, [progress])
      const before = await documentOf(engine, id)
      expect((await engine.read(id))?.marks.tokenSeries).toBeUndefined()
      expect((await endTokens(id)).version).toBe(2)
      expect(await documentOf(engine, id)).toEqual(before)
      expect((await engine.read(id))?.marks.tokenSeries).toBe(1)
      await publish(engine, id, [progress, { type: 'status', status: 'completed' }])
      expect((await engine.read(id))?.marks.tokenSeries).toBe(1)
      expect((await endTokens(id)).version).toBe(4)
      expect((await engine.read(id))?.marks.tokenSeries).toBe(2)
    })

    test('end-tokens is for one life of the job', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const wrong = batchOf([], { decide: 'end-tokens', epoch: `${epoch}x` })
      expect(refusal(await engine.apply(id, wrong))).toEqual({ status: 404, fields: [] })
      expect((await engine.read(id))?.marks.tokenSeries).toBeUndefined()
      await endTokens(id)
      await engine.remove(id)
      await created(engine, { id, epoch: `${epoch}2` })
      expect((await engine.read(id))?.marks.tokenSeries).toBeUndefined()
    })

    test('apply takes a batch of the present series alone, as the commit finds it, and before it looks for its key', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const key = { key: 'k', digest: 'd' }
      const send = (tokenSeries: number, more = {}) => engine.apply(id, batchOf([progress], { tokenSeries, ...more }))
      expect(taken(await send(0, { key })).version).toBe(2)
      const raced = await Promise.all([
        ...Array.from({ length: 5 }, () => send(0)),
        endTokens(id),
        ...Array.from({ length: 5 }, () => send(0)),
      ])
      const refusals = raced.filter((answer) => 'refused' in answer)
      for (const answer of refusals) expect(refusal(answer)).toEqual({ status: 401, fields: [] })
      expect((await engine.read(id))?.header.version).toBe(2 + 10 - refusals.length)
      expect(refusal(await send(0, { key }))).toEqual({ status: 401, fields: [] })
      expect(taken(await send(1)).version).toBe(3 + 10 - refusals.length)
      expect(refusal(await send(2))).toEqual({ status: 401, fields: [] })
    })

    test('watch tells the series, which changes no version', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const log = new WakeLog()
      const unwatch = await engine.watch({ job: id }, log.wake)
      await endTokens(id)
      await log.until(({ tokenSeries }) => tokenSeries === 1)
      expect(log.changes.map(({ epoch, from, to }) => ({ epoch, from, to }))).toEqual([{ epoch, from: 1, to: 1 }])
      unwatch()
    })

    test('streams that were opened with tokens end when these do, and all others go on', async () => {
      const { engine } = subject
      const owner = unique('owner')
      const [first, second] = [await created(engine, { owner }), await created(engine, { owner })]
      const named = [first, second].map(({ id, epoch }) => ({
        id,
        owner,
        cursor: { epoch, version: 0 },
        tokenSeries: 0,
      }))
      const cursor = { epoch: first.epoch, version: 0 }
      const viewer = { sub: owner }
      const opened = await Promise.all([
        openLog(engine, (hub) => hub.openJob(first.id, 'all', cursor, { ...viewer, tokenSeries: 0 })),
        openLog(engine, (hub) => hub.openJobs(named, viewer)),
        // Where there may be few subscriptions, this one hears of its jobs through their owner.
        openLog(engine, (hub) => hub.openJobs(named, viewer), { subscriptionsPerStream: 1 }),
        openLog(engine, (hub) => hub.openJob(first.id, 'all', cursor, viewer)),
      ])
      const logs = opened.map(([log]) => log)
      for (const [index, log] of logs.entries()) {
        const snapshots = index === 1 || index === 2 ? 2 : 1
        await log.until(({ messages }) => messages.length === snapshots)
      }
      await endTokens(first.id)
      const guests = logs.slice(0, 3)
      for (const log of guests) await log.until(({ messages }) => messages.at(-1)?.event === 'end')
      expect(guests.map(({ messages, isClosed }) => [messages.at(-1)?.data.reason, isClosed])).toEqual([
        ['token-expired', true],
        ['token-expired', false],
        ['token-expired', false],
      ])
      await publish(engine, first.id, [progress])
      await publish(engine, second.id, [progress])
      for (const log of logs.slice(1))
        await log.until(({ messages }) => messages.at(-1)?.data.done === 1 || messages.at(-1)?.event === 'patch')
      expect(logs.slice(1).map(({ messages }) => messages.at(-1)?.data.jobId)).toEqual([
        second.id,
        second.id,
        undefined,
      ])
      for (const [, hub] of opened) hub.close()
    })
  })
}
