import { describe, expect, test } from 'bun:test'
import type { Change, Engine } from '../../../server/engine.ts'
import { ProblemError } from '../../../server/errors.ts'
import type { JobEvent } from '../../../shared/events.ts'
import type { Job } from '../../../shared/job.ts'
import { LiveJob } from '../../../shared/live-job.ts'
import { newDocument, placed } from '../../arbitraries.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { VirtualClock } from '../../virtual-clock.ts'
import { batchOf, created, documentOf, newJob, PageReader, publish, refusal, taken, WakeLog } from '../fixtures.ts'
import { replace, Store } from './kv-stores.ts'

const progress = (done: number): JobEvent => ({ type: 'progress', done })
const range = (length: number) => Array.from({ length }, (_, index) => index)
const told = (changes: Change[]) => changes.map(({ id, from, to, removed }) => ({ id, from, to, removed }))

/** Applies batches in a process of its own: `deno run kv-publisher.ts PATH JOB COUNT`. */
function publishElsewhere(path: string, id: string, count: number) {
  const publisher = new URL('kv-publisher.ts', import.meta.url).pathname
  const args = ['run', '--no-check', '-A', '--unstable-kv', publisher, path, id, String(count)]
  return new Deno.Command(Deno.execPath(), { args, stdout: 'piped', stderr: 'inherit' }).output()
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

    test('two engines create no more live jobs of one creator than there may be', async () => {
      await using store = await Store.create()
      const engines: Engine[] = [await store.engine(), await store.engine()]
      const answers = await Promise.all(
        range(12).map((number) => (engines[number % 2] as Engine).create(newJob({}, { liveLimit: 5 }))),
      )
      expect(answers.filter((answer) => refusal(answer)?.status === 429)).toHaveLength(7)
    })

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

    test('watch tells of what this engine does at once, with its events, and not a second time', async () => {
      await using store = await Store.create()
      const clock = new VirtualClock()
      const here = await store.engine({ clock, pollMs: 1_000 })
      const { id, owner } = await created(here)
      const logs = [new WakeLog(), new WakeLog()] as const
      const unwatches = [await here.watch({ job: id }, logs[0].wake), await here.watch({ owner }, logs[1].wake)]
      for (const done of [1, 2, 3]) {
        taken(await here.apply(id, batchOf([progress(done)])))
        for (const { changes } of logs)
          expect(changes.at(-1)?.events?.map(({ version }) => version)).toEqual([done + 1])
      }
      await clock.advance(10_000)
      await here.check()
      for (const { changes } of logs) expect(changes).toHaveLength(3)
      for (const unwatch of unwatches) unwatch()
    })

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
          const document = await documentOf(reader, header.id)
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
      const left = (await store.keys()).filter((key) => key[1] === 'life').length
      expect(left).toBeGreaterThan(100)
      const second = await store.engine()
      expect(await second.read(id)).toBeUndefined()
      while ((await store.keys()).some((key) => key[1] === 'life' || key[1] === 'trash')) await second.due(0, 1)
    })

    test('watch that the store ends is lost, unless it is polled', async () => {
      await using store = await Store.create()
      const streams: ReadableStreamDefaultController[] = []
      const broken = (kv: Deno.Kv) =>
        replace(kv, {
          watch: () =>
            new ReadableStream({
              start(controller) {
                streams.push(controller)
                controller.enqueue([{ key: [], value: null, versionstamp: null }])
              },
            }),
        })
      const clock = new VirtualClock()
      const engines = [await store.engine({}, broken), await store.engine({ clock, pollMs: 1_000 }, broken)]
      const losses: number[] = []
      for (const [index, engine] of engines.entries()) {
        await engine.watch(
          { job: 'a' },
          () => {},
          () => losses.push(index),
        )
        await engine.watch(
          { owner: 'a' },
          () => {},
          () => losses.push(index),
        )
      }
      for (const [index, stream] of streams.entries()) {
        if (index % 2 === 0) stream.error(new Error('The store is away'))
        else stream.close()
      }
      await clock.advance(0)
      expect(losses).toEqual([0, 0])
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
