import { describe, expect, test } from 'bun:test'
import { ProblemError } from '../../../server/errors.ts'
import type { Engine } from '../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import type { Job } from '../../../shared/document/job.ts'
import { LiveJob } from '../../../shared/document/live-job.ts'
import { newDocument, placed } from '../../arbitraries.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ALL, batchOf, changes, created, documentOf, newJob, PageReader, publish, refusal, taken } from '../fixtures.ts'
import { publishElsewhere, replace, Store } from './kv-stores.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const range = (length: number) => Array.from({ length }, (_, index) => index)

/** A store where something happens once, after the first head was read and before whoever reads it goes on. */
function afterHead(happen: () => Promise<unknown>): (kv: Deno.Kv) => Deno.Kv {
  let isDone = false
  return (kv) =>
    replace(kv, {
      get: async (key: Deno.KvKey) => {
        const entry = await kv.get(key)
        if (key[1] === 'job' && !isDone) {
          isDone = true
          await happen()
        }
        return entry
      },
    })
}

/** How several processes, or several engines of one, share a store. */
export function describeSharing(): void {
  describe('sharing', () => {
    test('two engines that publish to one job at once give each batch its own versions', async () => {
      await using store = await Store.create()
      const engines: Engine[] = [await store.engine(), await store.engine()]
      const { id } = await created(engines[0] as Engine)
      const headers = await Promise.all(
        range(60).map(async (number) => {
          const events: JobEvent[] = [
            { type: 'log', message: `${number}` },
            { type: 'item', id: `${number % 7}`, message: `${number}` },
          ]
          return taken(await (engines[number % 2] as Engine).apply(id, batchOf(events)))
        }),
      )
      expect(headers.map(({ version }) => version).sort((a, b) => a - b)).toEqual(range(60).map((n) => 3 + 2 * n))
      const { logs, items, itemCounts } = await documentOf(engines[1] as Engine, id)
      expect(logs.map(({ version }) => version)).toEqual(range(60).map((n) => 2 + 2 * n))
      expect([items.length, itemCounts.pending]).toEqual([7, 7])
    })

    test('two engines see the same notes, and one alone takes each; one that is opened later has those that are left', async () => {
      await using store = await Store.create()
      const [one, other]: Engine[] = [await store.engine(), await store.engine()]
      const keys = range(20).map((number) => `test/${number}`)
      const until = Date.now() + 600_000
      await Promise.all(keys.map((key) => one?.notes.put({ key, text: key }, until, Date.now())))
      expect(await other?.notes.get('test/7')).toBe('test/7')
      const taken = await Promise.all(
        keys.slice(1).flatMap((key) => [one, other].map((engine) => engine?.notes.take(key))),
      )
      expect(taken.filter((text) => text !== undefined).sort()).toEqual(keys.slice(1).sort())
      const later = await store.engine()
      expect(await later.notes.list({ prefix: 'test/', limit: 100 })).toEqual([{ key: 'test/0', text: 'test/0' }])
    })

    test('two engines create no more live jobs of one creator than there may be', async () => {
      await using store = await Store.create()
      const engines: Engine[] = [await store.engine(), await store.engine()]
      const answers = await Promise.all(
        range(12).map((number) => (engines[number % 2] as Engine).create(newJob({}, { liveLimit: 5 }))),
      )
      expect(answers.filter((answer) => refusal(answer)?.status === 429)).toHaveLength(7)
    })

    test('several processes that open one file at once all do, and write to it', async () => {
      await using store = await Store.create()
      const here = await store.engine()
      const { id } = await created(here)
      await here.close()
      const ended = await Promise.all(range(4).map(() => publishElsewhere(store.path, id, 10)))
      expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0])
      expect((await (await store.engine()).read(id))?.header.version).toBe(41)
    })

    test('two processes that write to one file at once lose nothing of each other', async () => {
      await using store = await Store.create()
      const here = await store.engine()
      const { id } = await created(here)
      const elsewhere = publishElsewhere(store.path, id, 100)
      for (const done of range(100)) taken(await here.apply(id, batchOf([progress(done)])))
      expect((await elsewhere).code).toBe(0)
      expect((await here.read(id))?.header.version).toBe(201)
    })

    test('a document that is read while another engine writes it is the fold of its events, whole and in pages', async () => {
      await using store = await Store.create()
      const [writer, reader] = [await store.engine(), await store.engine()]
      const header = (await created(writer)) as Job
      const random = new SeededRandom(7)
      const documents = new Map<number, Job>()
      const live = new LiveJob(newDocument(header))
      let isWriting = true
      const write = async () => {
        for (let batch = 0; batch < 150; batch++) {
          const events = range(1 + random.below(6)).map((): JobEvent => {
            const message = `${live.job.version}`
            const kind = random.below(5)
            if (kind === 0) return { type: 'log', message }
            if (kind === 1) return { type: 'error', message }
            return { type: 'item', id: `${random.below(40)}`, message }
          })
          const { at } = batchOf([])
          for (const event of placed(events, live.job.version + 1)) live.applyEvent({ ...event, at })
          documents.set(live.job.version, structuredClone(live.job))
          taken(await writer.apply(header.id, batchOf(events)))
        }
        isWriting = false
      }
      const read = async () => {
        let compared = 0
        let pages = new PageReader(reader, header.id)
        while (isWriting) {
          const whole = await changes(reader, header.id)
          const { items = [], errors = [] } = whole
          expect(new Set(items.map(({ id }) => id)).size).toBe(items.length)
          expect(errors.length).toBeLessThan(101)
          const document = LiveJob.from(whole).job
          if (document.version > 1) expect(document).toEqual(documents.get(document.version) as Job)
          await pages.next(2_000)
          if (!pages.isComplete) continue
          if (pages.live.job.version > 1) {
            expect(pages.live.job).toEqual(documents.get(pages.live.job.version) as Job)
            compared += 1
          }
          if (compared % 3 === 0) pages = new PageReader(reader, header.id)
        }
        return compared
      }
      const [, compared] = await Promise.all([write(), read()])
      expect(compared).toBeGreaterThan(5)
    })

    test('changesSince of a job that is removed and cleared away after its head was read knows it no more', async () => {
      await using store = await Store.create()
      const remover = await store.engine()
      const { id } = await created(remover)
      await publish(remover, id, [{ type: 'item', id: 'a', label: 'A' }])
      const reader = await store.engine(
        {},
        afterHead(async () => {
          await remover.remove(id)
          while ((await store.keys('trash')).length > 0) await remover.due({ list: 'end', before: 0, limit: 1 })
        }),
      )
      expect(await reader.changesSince(id, undefined, ALL)).toBeUndefined()
    })

    test('apply of a key that another engine takes after the head was read answers the version that came of it', async () => {
      await using store = await Store.create()
      const first = await store.engine()
      const { id } = await created(first)
      const batch = batchOf([progress(1)], { key: { key: 'k', digest: 'd' } })
      const second = await store.engine(
        {},
        afterHead(() => first.apply(id, batch)),
      )
      expect(await second.apply(id, batch)).toMatchObject({ repeat: true, header: { version: 2 } })
    })

    test('what a removed job leaves is cleared away by another engine when the first is gone', async () => {
      await using store = await Store.create()
      const first = await store.engine()
      const { id } = await created(first)
      await publish(
        first,
        id,
        range(400).map((number): JobEvent => ({ type: 'item', id: `${number}`, label: 'L' })),
      )
      expect(await first.remove(id)).toBe(true)
      await first.close()
      const left = (await store.keys('life')).length
      expect(left).toBeGreaterThan(100)
      const second = await store.engine()
      expect(await second.read(id)).toBeUndefined()
      while ((await store.keys('trash')).length > 0) await second.due({ list: 'end', before: 0, limit: 1 })
      expect(await store.keys('life')).toEqual([])
    })

    test('apply and create try again while the file is locked, and answer 503 when the store stays away', async () => {
      await using store = await Store.create()
      let failures = 0
      let reason = 'database is locked'
      const failing = (kv: Deno.Kv) =>
        replace(kv, {
          get: (key: Deno.KvKey) => (failures-- > 0 ? Promise.reject(new TypeError(reason)) : kv.get(key)),
        })
      const engine = await store.engine({}, failing)
      failures = 3
      const { id } = await created(engine)
      failures = 3
      expect(taken(await engine.apply(id, batchOf([progress(1)]))).version).toBe(2)
      failures = 1
      reason = 'error sending request'
      expect(refusal(await engine.apply(id, batchOf([progress(2)])))).toEqual({ status: 503, fields: [] })
      failures = 1
      const thrown = await engine.read(id).catch((error: unknown) => error)
      expect(thrown instanceof ProblemError && thrown.problem.status).toBe(503)
      failures = 0
      expect((await engine.read(id))?.header.version).toBe(2)
    })
  })

  describe('list', () => {
    test('list finds the few that several filters leave among many', async () => {
      await using store = await Store.create()
      const engine = await store.engine()
      const owner = 'o'
      const wanted: string[] = []
      for (const number of range(150)) {
        const isWanted = number === 3 || number === 77
        const { id } = await created(engine, {
          owner,
          kind: number % 2 === 1 ? 'a' : 'b',
          status: isWanted || number % 2 === 0 ? 'running' : 'completed',
        })
        if (isWanted) wanted.unshift(id)
      }
      const query = { owner, kind: 'a', status: 'running', limit: 1 } as const
      const first = await engine.list(query)
      const second = await engine.list({ ...query, cursor: first.nextCursor ?? '' })
      expect([...first.rows, ...second.rows].map(({ id }) => id)).toEqual(wanted)
      expect(second.nextCursor).toBeUndefined()
    })
  })
}
