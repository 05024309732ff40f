import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { applyEvent, applyPatch, diffSince, foldEvent } from '../../../../shared/document/fold.ts'
import type { Job, Patch } from '../../../../shared/document/job.ts'
import { jobSchema, patchSchema } from '../../../../shared/document/job.ts'
import { LiveJob } from '../../../../shared/document/live-job.ts'
import { foldAll, history, newDocument, placed } from '../../../arbitraries.ts'

/** The documents of a history: `documents[v]` is the fold of the first v events, the creation being the first; none at 0. */
const documents = history.map((events) => {
  const all: Job[] = [newDocument({ metadata: { from: 'creation' } })]
  for (const event of placed(events)) all.push(applyEvent(all.at(-1) as Job, event))
  return { events: placed(events), newest: all.length, at: (version: number) => all[version - 1] as Job }
})

/** A number to be taken modulo something that is known only later. */
const pick = fc.nat()

/** A patch as it is sent in pages of `size` rows: the rows in the order of their versions, `more` on all but the last. */
function pagesOf(patch: Patch, size: number): Patch[] {
  const rows = (['steps', 'items', 'errors', 'logs'] as const)
    .flatMap((list) => (patch[list] ?? []).map((row) => ({ list, row })))
    .sort((a, b) => a.row.version - b.row.version)
  const pages: Patch[] = []
  let from = patch.from
  while (rows.length > size) {
    const page = rows.splice(0, size)
    const to = page.at(-1)?.row.version ?? from
    pages.push({ ...withRows(page), from, to, more: true, job: { ...patch.job, version: to } })
    from = to
  }
  pages.push({ ...withRows(rows), from, to: patch.to, job: patch.job })
  return pages
}

function withRows(rows: { list: 'steps' | 'items' | 'errors' | 'logs'; row: unknown }[]) {
  const lists: Pick<Patch, 'steps' | 'items' | 'errors' | 'logs'> = {}
  for (const { list, row } of rows) lists[list] = [...(lists[list] ?? []), row] as never
  return lists
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}

describe('the law of the document', () => {
  test('applyPatch over any patches, in any order and repeated, leaves the fold of the first v events', () => {
    fc.assert(
      fc.property(documents, pick, fc.array(fc.tuple(pick, pick), { maxLength: 20 }), ({ at, newest }, start, cuts) => {
        let watcher = at(1 + (start % newest))
        for (const [a, b] of cuts) {
          const to = 1 + (b % newest)
          const from = a % (to + 1)
          const before = watcher.version
          watcher = applyPatch(watcher, diffSince(at(to), from))
          expect(watcher).toStrictEqual(at(watcher.version))
          expect(watcher.version).toBe(from <= before && before < to ? to : before)
        }
        expect(applyPatch(watcher, diffSince(at(newest), watcher.version))).toStrictEqual(at(newest))
      }),
    )
  })

  test('applyEvent and applyPatch mixed, with events lost and repeated, leave the fold of the first v events', () => {
    fc.assert(
      fc.property(documents, fc.array(fc.tuple(fc.boolean(), pick)), ({ events, at, newest }, arrivals) => {
        let watcher = at(1)
        for (const [isEvent, place] of arrivals) {
          const event = events[place % newest]
          if (isEvent && event) watcher = applyEvent(watcher, event)
          else watcher = applyPatch(watcher, diffSince(at(1 + (place % newest)), Math.max(0, watcher.version - 2)))
          expect(watcher).toStrictEqual(at(watcher.version))
        }
      }),
    )
  })

  test('applyPatch over pages, cut short anywhere and gone on at a later version, ends at the fold of all events', () => {
    const connection = fc.record({
      at: pick,
      rows: fc.integer({ min: 1, max: 4 }),
      pages: fc.integer({ min: 0, max: 5 }),
    })
    fc.assert(
      fc.property(documents, fc.array(connection, { maxLength: 8, size: 'max' }), ({ at, newest }, connections) => {
        let watcher: Job | undefined
        const read = (version: number, rows: number, pages: number) => {
          for (const page of pagesOf(diffSince(at(version), watcher?.version ?? 0), rows).slice(0, pages)) {
            watcher = watcher ? applyPatch(watcher, page) : LiveJob.from(page).job
            expect(watcher.version).toBe(page.to)
            if (!page.more) expect(watcher).toStrictEqual(at(version))
          }
        }
        let version = 1
        for (const next of connections) {
          version += next.at % (newest - version + 1)
          read(version, next.rows, next.pages)
        }
        read(newest, 3, Number.POSITIVE_INFINITY)
        expect(watcher).toStrictEqual(at(newest))
      }),
    )
  })

  test('applyPatch drops what left a window while the watcher was away, in one patch and in pages', () => {
    const events = placed(
      Array.from({ length: 1_300 }, (_, count) => ({ type: count % 10 === 0 ? 'error' : 'log', message: `${count}` })),
    )
    const newest = foldAll(newDocument(), events)
    expect([newest.errors.length, newest.logs.length]).toEqual([100, 1_000])
    for (const seen of [0, 1, 50, 299, 300, 301, 1_299]) {
      const watcher = foldAll(newDocument(), events.slice(0, seen))
      const patch = diffSince(newest, watcher.version)
      expect(applyPatch(watcher, patch)).toStrictEqual(newest)
      expect(pagesOf(patch, 100).reduce(applyPatch, watcher)).toStrictEqual(newest)
    }
  })

  test('LiveJob holds what applyEvent and applyPatch give, whatever comes', () => {
    fc.assert(
      fc.property(
        documents,
        fc.array(fc.tuple(fc.constantFrom('event', 'patch', 'pages', 'other life'), pick, pick), { maxLength: 20 }),
        ({ events, at, newest }, arrivals) => {
          let pure = at(1)
          const live = LiveJob.from(diffSince(at(1), 0))
          const take = (patch: Patch) => {
            const next = applyPatch(pure, patch)
            expect(live.applyPatch(patch)).toBe(next !== pure)
            pure = next
          }
          for (const [kind, a, b] of arrivals) {
            const to = 1 + (a % newest)
            const patch = diffSince(at(to), b % (to + 1))
            const event = events[a % newest]
            if (kind === 'patch') take(patch)
            else if (kind === 'pages') for (const page of pagesOf(patch, 2)) take(page)
            else if (kind === 'other life') take({ ...patch, job: { ...patch.job, epoch: `e${b % 3}` } })
            else if (event) {
              const next = applyEvent(pure, event)
              expect(live.applyEvent(event)).toBe(next !== pure)
              pure = next
            }
            expect(live.job).toStrictEqual(pure)
            for (const item of pure.items) if (item) expect(live.item(item.id)).toStrictEqual(item)
            for (const step of pure.steps) if (step) expect(live.step(step.id)).toStrictEqual(step)
          }
        },
      ),
    )
  })

  test('foldEvent, applyEvent, applyPatch and diffSince change nothing that they are given', () => {
    fc.assert(
      fc.property(documents, pick, ({ events, at, newest }, cut) => {
        for (const event of deepFreeze(events)) {
          const before = deepFreeze(at(event.version - 1))
          const rows = event.type === 'step' ? before.steps : before.items
          const row = rows.find(({ id }) => 'id' in event && id === event.id)
          const patch = deepFreeze(foldEvent(before, { row, stepCount: before.steps.length }, event))
          expect(deepFreeze(applyPatch(before, patch))).toStrictEqual(deepFreeze(applyEvent(before, event)))
        }
        const from = deepFreeze(at(1 + (cut % newest)))
        applyPatch(from, deepFreeze(diffSince(deepFreeze(at(newest)), from.version)))
        applyPatch(from, deepFreeze(diffSince(at(newest), 0)))
      }),
    )
  })

  test('documents and patches are what their schemas say, and survive JSON', () => {
    fc.assert(
      fc.property(documents, pick, ({ at, newest }, cut) => {
        const job = at(newest)
        const patch = diffSince(job, cut % (newest + 1))
        expect(jobSchema.safeParse(job).error).toBeUndefined()
        expect(patchSchema.safeParse(patch).error).toBeUndefined()
        expect(JSON.parse(JSON.stringify(job))).toStrictEqual(job)
        expect(JSON.parse(JSON.stringify(patch))).toStrictEqual(patch)
      }),
    )
  })

  test('items and steps stand at their index, and itemCounts counts the items', () => {
    fc.assert(
      fc.property(documents, ({ at, newest }) => {
        const { items, steps, itemCounts } = at(newest)
        expect(items.every(({ index }, place) => index === place)).toBe(true)
        expect(steps.every(({ index }, place) => index === place)).toBe(true)
        const counted = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }
        for (const { status } of items) counted[status] += 1
        expect(itemCounts).toStrictEqual(counted)
      }),
    )
  })
})
