import { describe, expect, test } from 'bun:test'
import { CANCEL_GRACE } from '../../../server/jobs/background/due.ts'
import type { Decision } from '../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { defaultLimits, ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { foldAll, instantOf, placed } from '../../arbitraries.ts'
import {
  batchOf,
  changes,
  created,
  documentOf,
  type OpenEngine,
  publish,
  refusal,
  type Subject,
  taken,
} from '../fixtures.ts'

/** How events get into documents. */
export function describeApply(subject: Subject, open: OpenEngine): void {
  describe('apply', () => {
    test('apply folds a batch into the document and answers its new header', async () => {
      const { engine } = subject
      const header = await created(engine)
      const events: JobEvent[] = [
        { type: 'status', status: 'running', title: 'Title', metadata: { a: [1] } },
        { type: 'progress', done: 1, total: 3, unit: 'files' },
        { type: 'step', id: 's', label: 'S' },
        { type: 'item', id: 'i', label: 'I', status: 'running' },
        { type: 'item', id: 'i', progress: 50 },
        { type: 'error', message: 'no', itemId: 'i' },
        { type: 'log', message: 'line' },
        { type: 'control', pauseRequested: true },
      ]
      const at = instantOf(7)
      const applied = await engine.apply(header.id, { events, at })
      const expected = foldAll(
        { ...header, steps: [], items: [], errors: [], logs: [] },
        placed(events).map((event) => ({ ...event, at })),
      )
      const { steps: _s, items: _i, errors: _e, logs: _l, ...expectedHeader } = expected
      expect(applied).toEqual({ header: expectedHeader, repeat: false })
      expect(await documentOf(engine, header.id)).toEqual(expected)
    })

    test('apply to a job that is not there answers 404', async () => {
      const applied = await subject.engine.apply('no-such-job', batchOf([{ type: 'progress', done: 1 }]))
      expect(applied).toEqual({
        refused: {
          type: 'urn:milepost:not-found',
          status: 404,
          title: 'Not found',
          detail: "This job does not exist, or it isn't yours.",
        },
      })
    })

    test('apply takes all of a batch or none', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      await publish(engine, id, [{ type: 'item', id: 'a', label: 'A' }])
      const before = await documentOf(engine, id)
      const marks = (await engine.read(id))?.marks
      const refused = await engine.apply(
        id,
        batchOf([
          { type: 'item', id: 'a', label: 'changed' },
          { type: 'item', id: 'b', label: 'B' },
          { type: 'step', id: 's', label: 'S' },
          { type: 'log', message: 'line' },
          { type: 'status', status: 'completed', result: 1 },
          { type: 'progress', done: 1 },
        ]),
      )
      expect(refusal(refused)).toEqual({ status: 409, fields: ['5.type'] })
      expect(await documentOf(engine, id)).toEqual(before)
      expect((await engine.read(id))?.marks).toEqual(marks)
      await publish(engine, id, [{ type: 'item', id: 'b', label: 'B' }])
      expect((await documentOf(engine, id)).items[1]).toEqual({
        id: 'b',
        index: 1,
        version: 3,
        status: 'pending',
        label: 'B',
      })
    })

    test('apply refuses every event after a terminal one', async () => {
      const { engine } = subject
      for (const status of ['completed', 'failed', 'cancelled'] as const) {
        const { id } = await created(engine)
        await publish(engine, id, [{ type: 'status', status }])
        for (const event of [{ type: 'log', message: 'm' }, { type: 'status', status }, { type: 'control' }] as const)
          expect(refusal(await engine.apply(id, batchOf([event])))).toEqual({ status: 409, fields: ['type'] })
      }
    })

    test('apply counts the attempts of a job that goes back to pending, and keeps all that it has', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const running = { type: 'status', status: 'running' } as const
      const pending = { type: 'status', status: 'pending', message: 'again' } as const
      await publish(engine, id, [running, { type: 'progress', done: 3 }, { type: 'item', id: 'a', status: 'failed' }])
      const { items, progress, startedAt } = await documentOf(engine, id)
      await publish(engine, id, [pending, pending])
      expect(await documentOf(engine, id)).toMatchObject({ status: 'pending', attempt: 2, items, progress, startedAt })
      await publish(engine, id, [running, { ...pending, attempt: 7 }, running])
      expect(await documentOf(engine, id)).toMatchObject({ status: 'running', attempt: 7 })
      const lower = await engine.apply(id, batchOf([{ ...running, attempt: 6 }]))
      expect(refusal(lower)).toEqual({ status: 422, fields: ['attempt'] })
    })

    test('apply by another than the creator answers as for a job that is not there', async () => {
      const { engine } = subject
      const { id, createdBy } = await created(engine)
      const events: JobEvent[] = [{ type: 'progress', done: 1 }]
      const stranger = await engine.apply(id, batchOf(events, { createdBy: 'eve' }))
      expect(stranger).toEqual(await engine.apply('no-such-job', batchOf(events)))
      expect(taken(await engine.apply(id, batchOf(events, { createdBy }))).version).toBe(2)
    })

    test('apply of a batch for another life answers as for a job that is not there, and so for a key of that life', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const events: JobEvent[] = [{ type: 'progress', done: 1 }]
      const key = { key: 'k', digest: 'd' }
      expect(taken(await engine.apply(id, batchOf(events, { epoch, key }))).version).toBe(2)
      const none = await engine.apply('no-such-job', batchOf(events))
      expect(await engine.apply(id, batchOf(events, { epoch: 'other', key }))).toEqual(none)
      expect(await engine.remove(id)).toBe(true)
      await created(engine, { id, epoch: 'next' })
      const late = await Promise.all([
        engine.apply(id, batchOf(events, { epoch })),
        engine.apply(id, batchOf(events, { epoch, key })),
      ])
      expect(late).toEqual([none, none])
      expect((await documentOf(engine, id)).version).toBe(1)
      expect(taken(await engine.apply(id, batchOf(events, { epoch: 'next' }))).version).toBe(2)
    })

    test('apply takes a decision on the job as it finds it, in the life that it is meant for', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      const decide = (decide: Decision, epoch?: string) =>
        engine.apply(id, batchOf([], { decide, ...(epoch === undefined ? {} : { epoch }) }))
      expect(refusal(await decide('cancel', 'other'))).toEqual({ status: 404, fields: [] })
      const [started, asked] = await Promise.all([
        engine.apply(id, batchOf([{ type: 'status', status: 'running' }])),
        decide('cancel', epoch),
      ])
      expect(taken(started).version).toBe(2)
      expect(taken(asked)).toMatchObject({ version: 3, status: 'running', cancelRequested: true })
      const now = Date.parse(instantOf(2))
      const terms = { now, since: 0, steps: [], retentionSeconds: 60 }
      expect(await decide(terms)).toMatchObject({ repeat: true, header: { version: 3 } })
      const due = await decide({ ...terms, now: now + CANCEL_GRACE })
      expect(taken(due)).toMatchObject({ version: 4, status: 'cancelled' })
      expect(refusal(await decide('pause'))).toEqual({ status: 409, fields: [] })
      expect((await documentOf(engine, id)).version).toBe(4)
    })

    test('apply takes a decision, however many producers there are', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      let isDecided = false
      const produce = async () => {
        for (let done = 1; !isDecided; done++) taken(await engine.apply(id, batchOf([{ type: 'progress', done }])))
      }
      const producers = Array.from({ length: 32 }, produce)
      await Promise.race(producers.map(() => engine.apply(id, batchOf([{ type: 'log', message: 'first' }]))))
      const header = taken(await engine.apply(id, batchOf([], { decide: 'pause' })))
      isDecided = true
      await Promise.all(producers)
      expect(header.pauseRequested).toBe(true)
    })

    test('apply writes into a terminal event when the job is removed', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const more = { at: instantOf(5), retentionSeconds: 10 }
      const running = taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running' }], more)))
      expect(running.expiresAt).toBeUndefined()
      const ended = taken(await engine.apply(id, batchOf([{ type: 'status', status: 'failed' }], more)))
      expect(ended.expiresAt).toBe(instantOf(15))
      expect((await engine.read(id))?.header).toEqual(ended)
    })

    test('apply keeps rows apart whatever their ids', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const ids = [
        'a\0b',
        'a\0c',
        'a',
        '\ud800',
        '\ud801',
        '\ufffd',
        '__proto__',
        'constructor',
        'é',
        'e\u0301',
        '"',
        ' a',
      ]
      for (const type of ['item', 'step'] as const) {
        await publish(
          engine,
          id,
          ids.map((name) => ({ type, id: name, label: `first ${name}` })),
        )
        await publish(
          engine,
          id,
          ids.map((name) => ({ type, id: name, message: `second ${name}` })),
        )
      }
      const { items, steps } = await documentOf(engine, id)
      for (const [rows, version] of [
        [items, 2 + ids.length],
        [steps, 2 + 3 * ids.length],
      ] as const)
        expect<unknown>(rows).toEqual(
          ids.map((name, index) => ({
            id: name,
            index,
            version: version + index,
            status: 'pending',
            label: `first ${name}`,
            message: `second ${name}`,
          })),
        )
    })

    test('apply of many at once gives each its own versions, without a gap', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const numbers = range(0, 100)
      const batch = (number: number) =>
        batchOf([
          { type: 'log', message: `${number}` },
          { type: 'item', id: `i${number % 10}`, message: `${number}` },
          { type: 'step', id: `s${number % 10}`, message: `${number}` },
        ])
      const headers = await Promise.all(numbers.map(async (number) => taken(await engine.apply(id, batch(number)))))
      const versions = headers.map(({ version }) => version).sort((a, b) => a - b)
      expect(versions).toEqual(numbers.map((number) => 4 + 3 * number))

      const { version, logs, items, steps, logCount } = await documentOf(engine, id)
      expect([version, logCount, items.length, steps.length]).toEqual([301, 100, 10, 10])
      expect(logs.map((log) => log.version)).toEqual(numbers.map((number) => 2 + 3 * number))
      expect(logs.map((log) => Number(log.message)).sort((a, b) => a - b)).toEqual(numbers)
      for (const row of [...items, ...steps]) {
        const last = logs.findLast(({ message }) => Number(message) % 10 === Number(row.id.slice(1)))
        expect(row.message).toBe(last?.message ?? '')
        expect(row.version).toBe((last?.version ?? 0) + (row.id.startsWith('i') ? 1 : 2))
      }
    })

    test('apply that is refused does not touch those that come at the same time', async () => {
      const { engine } = subject
      const jobs = await Promise.all(Array.from({ length: 5 }, () => created(engine)))
      const answers = await Promise.all(
        jobs.flatMap(({ id }) => [
          engine.apply(id, batchOf([{ type: 'progress', done: 1 }])),
          engine.apply(id, batchOf([{ type: 'progress', done: 2 }], { createdBy: 'eve' })),
          engine.apply(`no-${id}`, batchOf([{ type: 'progress', done: 3 }])),
        ]),
      )
      expect(answers.filter((answer) => 'refused' in answer)).toHaveLength(10)
      for (const { id } of jobs)
        expect((await engine.read(id))?.header).toMatchObject({ version: 2, progress: { done: 1 } })
    })

    test('apply refuses what is over a limit with 413, and takes nothing of it', async () => {
      const limits = { ...defaultLimits, items: 2, steps: 1, documentBytes: 2_000 }
      const { engine, release } = await open(limits)
      const { id } = await created(engine)
      const item = (name: string): JobEvent => ({ type: 'item', id: name, label: 'L' })
      expect(refusal(await engine.apply(id, batchOf(['a', 'b', 'c'].map(item))))).toEqual({
        status: 413,
        fields: ['2.id'],
      })
      await publish(engine, id, ['a', 'b', 'a'].map(item))
      expect(refusal(await engine.apply(id, batchOf([item('c')])))).toEqual({ status: 413, fields: ['id'] })
      await publish(engine, id, [{ type: 'step', id: 'a', done: 1 }])
      const step: JobEvent = { type: 'step', id: 'b', done: 1 }
      expect(refusal(await engine.apply(id, batchOf([step])))).toEqual({ status: 413, fields: ['id'] })
      const big: JobEvent = { type: 'item', id: 'a', message: 'x'.repeat(2_000) }
      expect(refusal(await engine.apply(id, batchOf([big])))).toEqual({ status: 413, fields: ['id'] })
      expect(await documentOf(engine, id)).toMatchObject({ version: 5, items: [{ id: 'a' }, { id: 'b' }] })
      await release()
    })
  })

  describe('what is kept', () => {
    test('apply refuses what makes the jobs of a creator larger than may be kept with 429, until some are removed', async () => {
      const { engine, release } = await open({ ...defaultLimits, keptBytes: 3 * 4_096 })
      // There an object holds one job, and knows nothing of the others.
      if (!engine.knowsOwnersOnly) {
        const [first, second] = [await created(engine), await created(engine)]
        const grow = (id: string, item: string) =>
          engine.apply(id, batchOf([{ type: 'item', id: item, label: 'x'.repeat(500), message: 'x'.repeat(4_000) }]))
        taken(await grow(first.id, 'a'))
        expect(await grow(second.id, 'a')).toMatchObject({ refused: { status: 429, limit: 'keptBytes' } })
        expect((await engine.read(second.id))?.header.version).toBe(1)
        taken(await engine.apply(second.id, batchOf([{ type: 'progress', done: 1 }])))
        await engine.remove(first.id)
        taken(await grow(second.id, 'a'))
      }
      await release()
    })
  })

  describe('windows', () => {
    test('apply keeps the newest 100 errors and counts all of them', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      for (const [from, to] of [
        [0, 70],
        [70, 100],
        [100, 101],
        [101, 160],
        [160, 400],
      ] as const) {
        await publish(
          engine,
          id,
          numbered(from, to, (message) => ({ type: 'error', message })),
        )
        const { errors = [], job } = await changes(engine, id)
        expect(job.errorCount).toBe(to)
        expect(errors.map(({ message }) => Number(message))).toEqual(range(Math.max(0, to - ERROR_WINDOW), to))
      }
    })

    test('apply keeps the newest 1,000 log lines and counts all of them', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      for (const [from, to] of [
        [0, 700],
        [700, 1_000],
        [1_000, 1_001],
        [1_001, 1_900],
        [1_900, 3_500],
      ] as const) {
        await publish(
          engine,
          id,
          numbered(from, to, (message) => ({ type: 'log', message })),
        )
        const { logs = [], job } = await changes(engine, id)
        expect(job.logCount).toBe(to)
        expect(logs.map(({ message }) => Number(message))).toEqual(range(Math.max(0, to - LOG_WINDOW), to))
      }
      const patch = await changes(engine, id, { epoch: 'e1', version: 1_000 })
      expect(patch.logs?.map(({ message }) => Number(message))).toEqual(range(2_500, 3_500))
    })

    test('apply trims one window and leaves the other rows alone', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      await publish(engine, id, [
        { type: 'item', id: 'a', label: 'A' },
        { type: 'step', id: 's', label: 'S' },
        { type: 'error', message: 'first' },
        { type: 'log', message: 'first' },
        ...numbered(1, 150, (message): JobEvent => ({ type: 'error', message })),
      ])
      const { items, steps, errors, logs } = await documentOf(engine, id)
      expect([items.length, steps.length, errors.length, logs.length]).toEqual([1, 1, 100, 1])
    })
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

function numbered(from: number, to: number, make: (message: string) => JobEvent): JobEvent[] {
  return range(from, to).map((number) => make(`${number}`))
}
