import { describe, expect, test } from 'bun:test'
import type { JobEvent } from '../../../shared/document/events.ts'
import {
  ALL,
  batchOf,
  changes,
  created,
  documentOf,
  HEADER,
  PageReader,
  publish,
  type Subject,
  taken,
} from '../fixtures.ts'

const itemsNamed = (names: number[], message: string): JobEvent[] =>
  names.map((name) => ({ type: 'item', id: `${name}`, message }))

/** How a watcher catches up. */
export function describeChanges(subject: Subject): void {
  describe('changesSince', () => {
    test('changesSince of a job that is not there is undefined', async () => {
      for (const page of [ALL, HEADER])
        expect(await subject.engine.changesSince('no-such-job', undefined, page)).toBeUndefined()
    })

    test('changesSince a version brings the header and the rows that changed after it', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      await publish(engine, id, [
        { type: 'item', id: 'a', label: 'A' },
        { type: 'step', id: 's', label: 'S' },
        { type: 'item', id: 'b', label: 'B' },
        { type: 'error', message: 'first' },
        { type: 'log', message: 'first' },
        { type: 'item', id: 'a', status: 'running' },
        { type: 'log', message: 'second' },
      ])
      const header = (await engine.read(id))?.header
      if (!header) throw new Error('The job is gone')
      const a = { id: 'a', index: 0, version: 7, status: 'running', label: 'A' }
      const second = { version: 8, at: batchOf([]).at, level: 'info', message: 'second' }
      const since = (version: number) => changes(engine, id, { epoch, version })
      expect<unknown>(await since(7)).toEqual({ from: 7, to: 8, job: header, logs: [second] })
      expect<unknown>(await since(6)).toEqual({ from: 6, to: 8, job: header, items: [a], logs: [second] })
      expect(await since(3)).toMatchObject({
        from: 3,
        to: 8,
        items: [{ id: 'b', index: 1 }, a],
        errors: [{ version: 5, message: 'first' }],
        logs: [{ version: 6, message: 'first' }, second],
      })
      expect((await since(3)).steps).toBeUndefined()
      expect((await since(2)).steps).toEqual([{ id: 's', index: 0, version: 3, status: 'pending', label: 'S' }])
    })

    test('changesSince the present version is a patch from there to there, without rows', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine, { metadata: { a: 1 } })
      await publish(engine, id, itemsNamed([1, 2], 'm'))
      const { metadata: _, ...header } = (await engine.read(id))?.header ?? {}
      const patch = await changes(engine, id, { epoch, version: 3 })
      expect<unknown>(patch).toEqual({ from: 3, to: 3, job: header })
    })

    test('changesSince without a cursor, or with one of another life or ahead, brings everything from 0', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      await publish(engine, id, itemsNamed([1, 2], 'm'))
      const whole = await changes(engine, id)
      expect(whole).toMatchObject({ from: 0, to: 3, items: [{ id: '1' }, { id: '2' }] })
      expect(await changes(engine, id, { epoch: 'other', version: 2 })).toEqual(whole)
      expect(await changes(engine, id, { epoch, version: 4 })).toEqual(whole)
      expect(await changes(engine, id, { epoch, version: 0 })).toEqual(whole)
    })

    test('changesSince brings result and metadata only when they changed, null when cleared', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine, { metadata: { a: 1 } })
      await publish(engine, id, [
        { type: 'status', status: 'running', result: { b: 2 } },
        { type: 'progress', done: 1 },
        { type: 'status', status: 'running', metadata: null },
        { type: 'progress', done: 2 },
        { type: 'status', status: 'running', result: null },
      ])
      const payload = async (version?: number) => {
        const { job } = await changes(engine, id, version === undefined ? undefined : { epoch, version })
        return { ...('result' in job && { result: job.result }), ...('metadata' in job && { metadata: job.metadata }) }
      }
      expect(await payload()).toEqual({ result: null, metadata: null })
      expect(await payload(3)).toEqual({ result: null, metadata: null })
      expect(await payload(4)).toEqual({ result: null })
      expect(await payload(6)).toEqual({})

      await publish(engine, id, [{ type: 'status', status: 'running', result: [1], metadata: { c: 3 } }])
      expect(await payload(6)).toEqual({ result: [1], metadata: { c: 3 } })
      await publish(engine, id, [{ type: 'progress', done: 3 }])
      expect(await payload(6)).toEqual({ result: [1], metadata: { c: 3 } })
      expect(await payload(7)).toEqual({})
      expect((await engine.read(id))?.header).toMatchObject({ result: [1], metadata: { c: 3 } })
    })

    test('changesSince of the header view brings no rows', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      await publish(engine, id, [...itemsNamed([1, 2], 'm'), { type: 'log', message: 'm' }])
      const header = (await engine.read(id))?.header
      for (const from of [0, 1, 3])
        expect<unknown>(await changes(engine, id, { epoch, version: from }, HEADER)).toEqual({
          from,
          to: 4,
          job: header,
        })
    })
  })

  describe('pages', () => {
    test('changesSince ends a page when it is full; its version is the cursor of the next', async () => {
      const { engine } = subject
      const { id, epoch } = await created(engine)
      await publish(engine, id, itemsNamed([1, 2, 3, 4, 5], 'm'.repeat(100)))
      const header = (await engine.read(id))?.header
      if (!header) throw new Error('The job is gone')
      const page = (version: number) => changes(engine, id, { epoch, version }, { view: 'all', maxBytes: 300 })
      const first = await page(0)
      expect(first).toMatchObject({ from: 0, more: true })
      expect(first.job).toEqual({ ...header, version: first.to })
      const taken = first.items?.length ?? 0
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(5)
      expect(first.items?.at(-1)?.version).toBe(first.to)
      const rest = await changes(engine, id, { epoch, version: first.to })
      expect(rest).toMatchObject({ from: first.to, to: 6, job: header })
      expect([...(first.items ?? []), ...(rest.items ?? [])]).toEqual((await documentOf(engine, id)).items)
    })

    test('changesSince takes one row at least, however large', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      await publish(engine, id, itemsNamed([1, 2, 3], 'm'.repeat(1_000)))
      const reader = new PageReader(engine, id)
      const pages = [await reader.next(1), await reader.next(1), await reader.next(1)]
      expect(pages.map(({ items, more }) => [items?.length, more])).toEqual([
        [1, true],
        [1, true],
        [1, undefined],
      ])
    })

    test('changesSince gives rows of all lists in the order of their versions', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const turn = (number: number): JobEvent[] => [
        { type: 'item', id: `${number}`, label: 'I' },
        { type: 'log', message: `${number}` },
        { type: 'step', id: `${number}`, label: 'S' },
        { type: 'error', message: `${number}` },
      ]
      await publish(engine, id, [1, 2, 3, 4, 5, 6].flatMap(turn))
      await publish(engine, id, [2, 1, 4].flatMap(turn))
      const reader = new PageReader(engine, id)
      const versions: number[] = []
      do {
        const { items = [], logs = [], steps = [], errors = [], from } = await reader.next(250)
        const page = [...items, ...logs, ...steps, ...errors].map(({ version }) => version).sort((a, b) => a - b)
        expect(page[0] ?? 0).toBeGreaterThan(Math.max(from, versions.at(-1) ?? 0))
        versions.push(...page)
      } while (!reader.isComplete)
      expect(new Set(versions).size).toBe(6 * 4 + 3 * 2)
      expect(reader.live.job).toEqual(await documentOf(engine, id))
    })

    test('changesSince pages come to the whole document although rows change between them', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const names = Array.from({ length: 30 }, (_, index) => index)
      await publish(engine, id, itemsNamed(names, 'old'))
      const reader = new PageReader(engine, id)
      for (let turn = 0; turn < 8; turn++) {
        await reader.next(300)
        expect(reader.isComplete).toBe(false)
        // One row that was read already, one that was not, a new one, and the header's own.
        await publish(engine, id, itemsNamed([turn, 29 - turn, 100 + turn], `turn ${turn}`))
        await publish(engine, id, [
          { type: 'log', message: `turn ${turn}` },
          { type: 'status', status: 'running', result: turn },
        ])
      }
      expect(await reader.finish(300)).toEqual(await documentOf(engine, id))
    })

    test('changesSince goes on after a window has moved past the page', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const errors = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, index): JobEvent => ({ type: 'error', message: `${from + index}` }))
      await publish(engine, id, errors(0, 100))
      const reader = new PageReader(engine, id)
      await reader.next(1_000)
      expect(reader.isComplete).toBe(false)
      await publish(engine, id, errors(100, 175))
      expect(await reader.finish(1_000)).toEqual(await documentOf(engine, id))
    })

    test('changesSince starts over when the job has been made anew between pages', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      await publish(engine, id, itemsNamed([1, 2, 3, 4], 'old'))
      const reader = new PageReader(engine, id)
      await reader.next(1)
      await engine.remove(id)
      await created(engine, { id, epoch: 'e2' })
      taken(await engine.apply(id, batchOf(itemsNamed([9], 'new'))))
      expect((await reader.finish(1)).items.map((item) => item.id)).toEqual(['9'])
    })
  })
}
