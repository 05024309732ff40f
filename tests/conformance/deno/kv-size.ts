import { describe, expect, test } from 'bun:test'
import type { Batch } from '../../../server/jobs/engine.ts'
import { KEYS_KEPT } from '../../../server/jobs/idempotency.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { batchOf, changes, created, documentOf, PageReader, publish, refusal, taken } from '../fixtures.ts'
import { Store } from './kv-stores.ts'

const { messageBytes, titleBytes, resultBytes, metadataBytes } = defaultLimits

/** Items of a large job. The 100,000 of the default limit take this store a minute. */
const ITEMS = 10_000

/** A text of so many bytes of UTF-8 that the store would write at twice as many: all but one of its characters are ASCII. */
const wide = (bytes: number) => `€${'x'.repeat(bytes - 3)}`
const jsonOf = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) })
const range = (length: number) => Array.from({ length }, (_, index) => index)

/** What the store takes at once, and how it is kept to. */
export function describeSize(): void {
  describe('size', () => {
    test('apply takes the largest batch that there is, upon the largest rows, beside the largest header', async () => {
      await using store = await Store.create()
      const engine = await store.engine()
      const { batchEvents = 0 } = engine.limits
      expect(batchEvents).toBe(32)
      const { id } = await created(engine, { title: wide(titleBytes), kind: wide(titleBytes), owner: wide(titleBytes) })
      const ids = range(batchEvents).map((number) => `${String(number).padStart(4)}${wide(titleBytes - 4)}`)
      const text = wide(messageBytes)
      const items = ids.map(
        (id): JobEvent => ({ type: 'item', id, label: wide(titleBytes), message: text, error: text }),
      )
      taken(await engine.apply(id, batchOf(items)))
      // Small events that write all of those rows again.
      const touched = ids.map((id): JobEvent => ({ type: 'item', id, status: 'running' }))
      taken(await engine.apply(id, batchOf(touched, { key: { key: 'k'.repeat(255), digest: 'd' } })))
      const end: JobEvent = {
        type: 'status',
        status: 'running',
        message: text,
        result: jsonOf(resultBytes),
        metadata: jsonOf(metadataBytes),
      }
      const steps = ids.slice(2).map((id): JobEvent => ({ type: 'item', id, status: 'failed' }))
      taken(await engine.apply(id, batchOf([...steps, { type: 'progress', done: 1, message: text }, end])))
      const document = await documentOf(engine, id)
      expect(document.items.map(({ label, message, error }) => [label, message, error])).toEqual(
        ids.map(() => [wide(titleBytes), text, text]),
      )
      expect([document.result, document.metadata]).toEqual([jsonOf(resultBytes), jsonOf(metadataBytes)])
      const logs = range(batchEvents).map((): JobEvent => ({ type: 'log', message: text }))
      const errors = ids.map((id): JobEvent => ({ type: 'error', message: text, code: wide(titleBytes), itemId: id }))
      for (const batch of [logs, errors, logs, errors, logs, errors, logs, errors]) await publish(engine, id, batch)
      expect((await documentOf(engine, id)).errors).toHaveLength(100)
    })

    test('apply leaves no more keys in the store than it knows', async () => {
      await using store = await Store.create()
      const engine = await store.engine()
      const { id } = await created(engine)
      const use = async (number: number, more: Partial<Batch>) =>
        taken(await engine.apply(id, batchOf([{ type: 'log', message: 'm' }], { ...keyOf(number), ...more })))
      const keyOf = (number: number) => ({ key: { key: `k${number}`, digest: 'd' } })
      const at = '2026-01-01T00:00:00.000Z'
      const stored = async () => {
        const found = (await store.keys('life')).filter((key) => key[3] === 'key')
        return new Set(found.map((key) => key[4]))
      }
      for (let number = 1; number <= KEYS_KEPT; number++) await use(number, { at })
      // Forgotten for its age, one comes again: it is the newest then.
      await use(5, { at, keyHorizon: Date.parse(at) })
      for (let number = 1; number < KEYS_KEPT; number++) await use(1_000 + number, { at })
      expect((await stored()).size).toBe(KEYS_KEPT)
      expect((await stored()).has('k5')).toBe(true)
      await use(2_000, { at })
      expect((await stored()).size).toBe(KEYS_KEPT)
      expect((await stored()).has('k5')).toBe(false)
    })

    test('apply refuses a batch of more events than the store takes, and says how many it does', async () => {
      await using store = await Store.create()
      const engine = await store.engine()
      const { id } = await created(engine)
      const logs = range(33).map((): JobEvent => ({ type: 'log', message: 'm' }))
      const refused = await engine.apply(id, batchOf(logs))
      expect(refusal(refused)).toEqual({ status: 413, fields: ['events'] })
      expect(refused).toMatchObject({
        refused: { detail: 'events: are 33; a batch has at most 32. Send several batches.' },
      })
    })

    test('limits are those of the store or of its operator, whichever are smaller', async () => {
      await using store = await Store.create()
      const limits = { ...defaultLimits, batchEvents: 5, messageBytes: 1_000_000 }
      expect((await store.engine({ limits })).limits).toEqual({
        batchEvents: 5,
        messageBytes,
        titleBytes,
        resultBytes,
        metadataBytes,
      })
    })

    test('a result and a metadata too large for one value come back whole, and what they replace is deleted', async () => {
      await using store = await Store.create()
      const engine = await store.engine()
      const { id, owner, epoch } = await created(engine, { metadata: jsonOf(5_000) })
      const sizes = [100, 5_000, resultBytes, 5_000, 100]
      for (const size of sizes) {
        // A character of several bytes, so that it may stand across the border of two values.
        const result = { a: '€'.repeat(size / 4) }
        taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running', result }])))
        // Another engine has nothing of it in memory.
        const other = await store.engine()
        expect((await other.read(id))?.header.result).toEqual(result)
        expect((await other.list({ owner, limit: 1 })).rows[0]?.result).toEqual(result)
        expect((await changes(other, id, { epoch, version: 1 })).job.result).toEqual(result)
        const parts = (await store.keys('life')).filter((key) => key[3] === 'result')
        expect(parts).toHaveLength(Math.ceil(size < 1_000 ? 0 : ((size / 4) * 3 + 8) / (60 * 1_024)))
      }
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running', result: null, metadata: null }])))
      expect((await store.keys('life')).filter((key) => key[3] === 'result' || key[3] === 'metadata')).toEqual([])
    })

    test('a job of as many items as it may have is read in pages, followed at the price of what changes, and cleared away', async () => {
      await using store = await Store.create()
      const engine = await store.engine({ limits: { ...defaultLimits, items: ITEMS } })
      const { id, epoch } = await created(engine)
      const items = range(ITEMS).map((number): JobEvent => ({ type: 'item', id: `item ${number}`, label: 'L' }))
      await publish(engine, id, items)
      expect(refusal(await engine.apply(id, batchOf([{ type: 'item', id: 'one more', label: 'L' }])))?.status).toBe(413)
      const reader = new PageReader(engine, id)
      let pages = 0
      do {
        await reader.next(100_000)
        pages += 1
      } while (!reader.isComplete)
      expect([pages > 10, reader.live.job.items.length]).toEqual([true, ITEMS])
      taken(await engine.apply(id, batchOf([{ type: 'item', id: 'item 500', status: 'running' }])))
      const patch = await changes(engine, id, { epoch, version: 1 + ITEMS })
      expect(patch.items?.map(({ index, status }) => [index, status])).toEqual([[500, 'running']])
      expect(await engine.remove(id)).toBe(true)
      expect(await engine.read(id)).toBeUndefined()
      while ((await store.keys('trash')).length > 0) await engine.due({ list: 'end', before: 0, limit: 1 })
      expect(await store.keys('life')).toEqual([])
    })
  })
}
