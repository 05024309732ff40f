import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { StoredJob } from '../../../../../server/jobs/engine.ts'
import {
  buildPage,
  type ChangedRow,
  PAGE_BYTES,
  startOf,
  versionHeld,
} from '../../../../../server/jobs/paging/paging.ts'
import type { AppliedEvent } from '../../../../../shared/document/events.ts'
import { applyEvent, applyPatch } from '../../../../../shared/document/fold.ts'
import type { Item, Job, Patch } from '../../../../../shared/document/job.ts'
import { LiveJob } from '../../../../../shared/document/live-job.ts'
import { history, newDocument, newHeader, placed } from '../../../../arbitraries.ts'

/** A document as an engine hands it to `buildPage`: with the versions of result and metadata, and rows by version. */
function stored(job: Job, marks: { resultVersion: number; metadataVersion: number }): StoredJob {
  const { steps: _steps, items: _items, errors: _errors, logs: _logs, ...header } = job
  return { header, marks: { ...marks, stepCount: 0, bytes: 0, requestDigest: '' } }
}

function changedRows(job: Job, from: number): ChangedRow[] {
  const rows: ChangedRow[] = [
    ...job.steps.map((row): ChangedRow => ({ list: 'steps', row })),
    ...job.items.map((row): ChangedRow => ({ list: 'items', row })),
    ...job.errors.map((row): ChangedRow => ({ list: 'errors', row })),
    ...job.logs.map((row): ChangedRow => ({ list: 'logs', row })),
  ]
  return rows.filter(({ row }) => row.version > from).sort((a, b) => a.row.version - b.row.version)
}

/** The last of the events up to a version that says something of a field, or `otherwise`. */
function lastChange(events: readonly AppliedEvent[], version: number, key: string, otherwise: number): number {
  const changed = events.filter((event) => event.version <= version && event.type === 'status' && key in event)
  return changed.at(-1)?.version ?? otherwise
}

const items = (...labels: string[]): Item[] =>
  labels.map((label, index) => ({ id: `${index}`, index, version: index + 2, status: 'pending', label }))

const rowsOf = (all: Item[]) => all.map((row): ChangedRow => ({ list: 'items', row }))

const noMarks = { resultVersion: 0, metadataVersion: 0 }

describe('startOf', () => {
  test('startOf is the version of a cursor of the same epoch that is not ahead, and 0 otherwise', () => {
    const job = stored(newDocument({ version: 5 }), noMarks)
    const start = (epoch: string, version: number) => startOf({ epoch, version }, job)
    expect([start('e1', 0), start('e1', 3), start('e1', 5)]).toEqual([0, 3, 5])
    expect([start('e1', 6), start('e2', 3), startOf(undefined, job)]).toEqual([0, 0, 0])
  })
})

/** A job whose creation and version 2 are of a first generation, 3 to 5 of a second, 6 of a third. */
const inGenerations: StoredJob['marks']['generations'] = [
  ['first', 1],
  ['second', 3],
  ['third', 6],
]

describe('versionHeld', () => {
  const held = (job: StoredJob, version: number, generation?: string) =>
    versionHeld({ epoch: 'e1', version, ...(generation ? { generation } : {}) }, job)

  test('versionHeld is the version of a cursor that names the generation of its event', () => {
    const job = stored(newDocument({ version: 6, generation: 'third' }), noMarks)
    job.marks.generations = inGenerations
    expect([held(job, 2), held(job, 3, 'second'), held(job, 5, 'second'), held(job, 6, 'third')]).toEqual([2, 3, 5, 6])
    const others = [held(job, 3), held(job, 6), held(job, 2, 'second'), held(job, 6, 'second'), held(job, 5, 'other')]
    expect(others).toEqual([0, 0, 0, 0, 0])
  })

  test('versionHeld of a job without generations accepts cursors without one', () => {
    const job = stored(newDocument({ version: 6 }), noMarks)
    expect([held(job, 6), held(job, 6, 'other'), held(job, 7)]).toEqual([6, 0, 0])
  })

  test('versionHeld is 0 for a cursor of a generation that is no longer recorded', () => {
    const job = stored(newDocument({ version: 20, generation: 'g8' }), noMarks)
    job.marks.generations = Array.from({ length: 8 }, (_, index) => [`g${index + 1}`, index * 2 + 5])
    expect([held(job, 4), held(job, 5), held(job, 5, 'g1'), held(job, 20, 'g8')]).toEqual([0, 0, 5, 20])
  })
})

describe('buildPage', () => {
  test('buildPage names in each page the generation of the version where it ends', () => {
    const job = stored(newDocument({ version: 6, generation: 'third' }), noMarks)
    job.marks.generations = inGenerations
    const rows = rowsOf(items('a', 'b', 'c', 'd', 'e'))
    const ends = [0, 2, 3, 5].map((from) => {
      const page = buildPage(job, from, rows.slice(Math.max(0, from - 1)), 1)
      return [page.to, page.job.generation]
    })
    expect(ends).toEqual([
      [2, undefined],
      [3, 'second'],
      [4, 'second'],
      [6, 'third'],
    ])
  })

  test('buildPage has everything if it fits, and no more', () => {
    const job = stored(newDocument({ version: 4 }), noMarks)
    const all = items('a', 'b', 'c')
    expect(buildPage(job, 0, rowsOf(all), 10_000)).toStrictEqual({
      from: 0,
      to: 4,
      job: newHeader({ version: 4 }),
      items: all,
    })
  })

  test('buildPage without changes is a patch with from = to', () => {
    const job = stored(newDocument({ version: 4, result: 1, metadata: {} }), { resultVersion: 3, metadataVersion: 4 })
    expect(buildPage(job, 4, [], 10_000)).toStrictEqual({ from: 4, to: 4, job: newHeader({ version: 4 }) })
  })

  test('buildPage ends at the version of the last row that fits, and says that there is more', () => {
    const job = stored(newDocument({ version: 9 }), noMarks)
    const all = items('a', 'b', 'c')
    const page = buildPage(job, 1, rowsOf(all), 200)
    expect(page).toStrictEqual({ from: 1, to: 3, more: true, job: newHeader({ version: 3 }), items: all.slice(0, 2) })
    expect(buildPage(job, 3, rowsOf(all.slice(2)), 200)).toStrictEqual({
      from: 3,
      to: 9,
      job: newHeader({ version: 9 }),
      items: all.slice(2),
    })
  })

  test('buildPage has at least one row however large, and no more if it was the last', () => {
    const job = stored(newDocument({ version: 3 }), noMarks)
    const all = items('x'.repeat(5_000), 'y'.repeat(5_000))
    expect(buildPage(job, 0, rowsOf(all), 1)).toMatchObject({ to: 2, more: true, items: [all[0]] })
    expect(buildPage(job, 2, rowsOf(all.slice(1)), 1)).not.toHaveProperty('more')
  })

  test('buildPage reads at most one row more than fits', () => {
    const job = stored(newDocument({ version: 100 }), noMarks)
    let read = 0
    function* lazy(): Iterable<ChangedRow> {
      for (const row of rowsOf(items(...new Array<string>(99).fill('x')))) {
        read += 1
        yield row
      }
    }
    const page = buildPage(job, 0, lazy(), 500)
    expect(read).toBe((page.items?.length ?? 0) + 1)
  })

  test('buildPage makes small pages when several are needed, and one page when all may fit', () => {
    const all = items(...new Array<string>(5_000).fill('x'))
    const itemCounts = { pending: 5_000, running: 0, succeeded: 0, failed: 0, skipped: 0 }
    const job = stored(newDocument({ version: 5_001, itemCounts }), noMarks)
    const sizes: number[] = []
    for (let from = 0; from < 5_001; ) {
      const page = buildPage(job, from, rowsOf(all.slice(Math.max(0, from - 1))), PAGE_BYTES)
      sizes.push(JSON.stringify(page.items).length)
      from = page.to
    }
    expect(sizes.length).toBeGreaterThan(4)
    expect(Math.max(...sizes.slice(0, -1))).toBeLessThan(PAGE_BYTES / 2)
    expect(Math.max(...sizes)).toBeLessThan(PAGE_BYTES * 1.1)
  })

  test('buildPage measures bytes, not characters: a page of any script is about as large as it should be', () => {
    const job = stored(newDocument({ version: 10_001 }), noMarks)
    for (const letter of ['x', 'é', '中', '😀']) {
      const page = buildPage(job, 0, rowsOf(items(...new Array<string>(10_000).fill(letter.repeat(100)))), PAGE_BYTES)
      const bytes = new TextEncoder().encode(JSON.stringify(page)).length
      expect([letter, bytes > PAGE_BYTES * 0.7, bytes < PAGE_BYTES * 1.1]).toEqual([letter, true, true])
    }
  })

  test('buildPage carries result and metadata in the page that covers their change, and in no other', () => {
    const job = stored(newDocument({ version: 9, result: 'r', metadata: { m: 1 } }), {
      resultVersion: 3,
      metadataVersion: 1,
    })
    const all = items('a', 'b', 'c', 'd')
    const carried: unknown[] = []
    let from = 0
    for (let page: Patch | undefined; !page || page.more; from = page.to) {
      page = buildPage(job, from, rowsOf(all.filter(({ version }) => version > from)), 1)
      carried.push([page.to, page.job.result, page.job.metadata])
    }
    expect(carried).toEqual([
      [2, undefined, { m: 1 }],
      [3, 'r', undefined],
      [4, undefined, undefined],
      [9, undefined, undefined],
    ])
  })

  test('buildPage has null for a cleared result and metadata', () => {
    const job = stored(newDocument({ version: 4 }), { resultVersion: 3, metadataVersion: 4 })
    expect(buildPage(job, 2, [], 1).job).toStrictEqual({ ...newHeader({ version: 4 }), result: null, metadata: null })
  })

  test('buildPage, page after page from any cursor, with changes between them and cuts, ends at the fold of all events', () => {
    const connection = fc.record({ news: fc.nat(5), pages: fc.nat(4), maxBytes: fc.constantFrom(1, 150, 400) })
    fc.assert(
      fc.property(history, fc.array(connection, { maxLength: 30, size: 'max' }), (events, connections) => {
        const applied = placed(events)
        const documents = [newDocument({ metadata: { from: 'creation' } })]
        for (const event of applied) documents.push(applyEvent(documents.at(-1) as Job, event))
        let version = 1
        let watcher: LiveJob | undefined
        let pure: Job | undefined
        const readPage = (maxBytes: number): boolean => {
          const document = documents[version - 1] as Job
          const job = stored(document, {
            resultVersion: lastChange(applied, version, 'result', 0),
            metadataVersion: lastChange(applied, version, 'metadata', 1),
          })
          const cursor = watcher && { epoch: 'e1', version: watcher.job.version }
          const from = startOf(cursor, job)
          const page = structuredClone(buildPage(job, from, changedRows(document, from), maxBytes))
          pure = pure ? applyPatch(pure, page) : LiveJob.from(structuredClone(page)).job
          if (watcher) watcher.applyPatch(page)
          else watcher = LiveJob.from(page)
          expect(watcher.job).toStrictEqual(pure)
          expect(watcher.job.version).toBe(page.to)
          if (!page.more) expect(watcher.job).toStrictEqual(document)
          return page.more === true
        }
        for (const { news, pages, maxBytes } of connections) {
          version = Math.min(documents.length, version + news)
          for (let page = 0; page < pages; page++) readPage(maxBytes)
        }
        version = documents.length
        while (readPage(150));
        expect(watcher?.job).toStrictEqual(documents.at(-1) as Job)
      }),
    )
  })
})
