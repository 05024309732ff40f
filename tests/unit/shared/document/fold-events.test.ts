import { describe, expect, test } from 'bun:test'
import type { AppliedEvent, JobEvent } from '../../../../shared/document/events.ts'
import { applyEvent, foldEvent } from '../../../../shared/document/fold.ts'
import { itemStatuses, type Job, jobStatuses } from '../../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../../shared/document/limits.ts'
import { CREATED_AT, foldAll, instantOf, newDocument, newHeader, placed } from '../../../arbitraries.ts'

/** The document after events that follow its creation. */
const after = (...events: JobEvent[]) => foldAll(newDocument(), placed(events))

/** A fresh document at `version`, last changed then, with `fields` in its header. */
const at = (version: number, fields: Partial<Job> = {}): Job => ({
  ...newDocument(),
  version,
  updatedAt: instantOf(version),
  lastEventAt: instantOf(version),
  ...fields,
})

describe('foldEvent: progress', () => {
  test('progress sets what it names, and the moment', () => {
    expect(
      after({ type: 'progress', done: 13, total: 100, succeeded: 12, failed: 1, unit: 'files', message: 'b.csv' }),
    ).toStrictEqual(
      at(2, { progress: { done: 13, total: 100, succeeded: 12, failed: 1, unit: 'files', message: 'b.csv' } }),
    )
  })

  test('progress keeps what it leaves out', () => {
    expect(
      after(
        { type: 'progress', done: 13, total: 100, succeeded: 12, failed: 1, unit: 'files', message: 'b.csv' },
        { type: 'progress', done: 14 },
      ).progress,
    ).toStrictEqual({ done: 14, total: 100, succeeded: 12, failed: 1, unit: 'files', message: 'b.csv' })
  })

  test('progress clears with null, and null for what is not there leaves no trace', () => {
    const cleared: JobEvent = {
      type: 'progress',
      done: 0,
      total: null,
      succeeded: null,
      failed: null,
      unit: null,
      message: null,
    }
    expect(after(cleared).progress).toStrictEqual({ done: 0 })
    expect(
      after(
        { type: 'progress', done: 13, total: 100, succeeded: 12, failed: 1, unit: 'files', message: 'b.csv' },
        cleared,
      ).progress,
    ).toStrictEqual({ done: 0 })
  })

  test('progress sets a message to the empty text and a total to 0, which are values', () => {
    expect(after({ type: 'progress', done: 0, total: 0, message: '' }).progress).toStrictEqual({
      done: 0,
      total: 0,
      message: '',
    })
  })
})

describe('foldEvent: status', () => {
  for (const status of jobStatuses) {
    test(`status ${status} sets the status, and the times that belong to it`, () => {
      const ended = status === 'completed' || status === 'failed' || status === 'cancelled'
      expect(after({ type: 'status', status })).toStrictEqual(
        at(2, {
          status,
          ...(status === 'running' ? { startedAt: instantOf(2) } : {}),
          ...(ended ? { endedAt: instantOf(2) } : {}),
        }),
      )
    })
  }

  test('status running sets startedAt the first time alone', () => {
    const job = after(
      { type: 'status', status: 'paused' },
      { type: 'status', status: 'running' },
      { type: 'status', status: 'paused' },
      { type: 'status', status: 'running' },
    )
    expect(job.startedAt).toBe(instantOf(3))
  })

  test('status sets and clears message and metadata, and sets title and result', () => {
    const told = after({
      type: 'status',
      status: 'running',
      message: 'Reading',
      title: 'Import of 3 files',
      result: { rows: 3 },
      metadata: { region: 'eu' },
    })
    expect(told).toStrictEqual(
      at(2, {
        status: 'running',
        startedAt: instantOf(2),
        message: 'Reading',
        title: 'Import of 3 files',
        result: { rows: 3 },
        metadata: { region: 'eu' },
      }),
    )
    const kept = applyEvent(told, { type: 'status', status: 'running', version: 3, at: instantOf(3) })
    expect(kept).toStrictEqual({ ...told, version: 3, updatedAt: instantOf(3), lastEventAt: instantOf(3) })
    const cleared = applyEvent(kept, {
      type: 'status',
      status: 'running',
      message: null,
      result: null,
      metadata: null,
      version: 4,
      at: instantOf(4),
    })
    expect(cleared).toStrictEqual(at(4, { status: 'running', startedAt: instantOf(2), title: 'Import of 3 files' }))
  })

  test('status keeps a result of false, 0 and the empty text, which are values', () => {
    for (const result of [false, 0, '', [], {}]) {
      expect(after({ type: 'status', status: 'running', result }).result).toStrictEqual(result)
    }
  })

  test('status replaces result and metadata whole, and merges nothing into them', () => {
    const job = after(
      { type: 'status', status: 'running', result: { a: 1 }, metadata: { a: 1 } },
      { type: 'status', status: 'running', result: { b: 2 }, metadata: { b: 2 } },
    )
    expect([job.result, job.metadata]).toStrictEqual([{ b: 2 }, { b: 2 }])
  })

  test('status takes expiresAt from the event, where the server wrote it', () => {
    const event: AppliedEvent = {
      type: 'status',
      status: 'completed',
      version: 2,
      at: instantOf(2),
      expiresAt: instantOf(99),
    }
    expect(applyEvent(newDocument(), event)).toStrictEqual(
      at(2, { status: 'completed', endedAt: instantOf(2), expiresAt: instantOf(99) }),
    )
  })

  test('foldEvent leaves result and metadata out of a patch that does not change them, and says null when they are cleared', () => {
    const header = newHeader({ result: 1, metadata: { a: 1 } })
    const log = foldEvent(header, { stepCount: 0 }, { type: 'log', message: 'x', version: 2, at: instantOf(2) })
    expect('result' in log.job || 'metadata' in log.job).toBe(false)
    const cleared = foldEvent(
      header,
      { stepCount: 0 },
      { type: 'status', status: 'running', result: null, metadata: null, version: 2, at: instantOf(2) },
    )
    expect([cleared.job.result, cleared.job.metadata]).toStrictEqual([null, null])
  })
})

describe('foldEvent: control', () => {
  test('control sets what it names, keeps the rest, and is no sign of life of the producer', () => {
    const asked = after({ type: 'control', cancelRequested: true })
    expect(asked).toStrictEqual(at(2, { cancelRequested: true, lastEventAt: CREATED_AT }))
    const paused = applyEvent(asked, { type: 'control', pauseRequested: true, version: 3, at: instantOf(3) })
    expect(paused).toStrictEqual(at(3, { cancelRequested: true, pauseRequested: true, lastEventAt: CREATED_AT }))
    const resumed = applyEvent(paused, { type: 'control', pauseRequested: false, version: 4, at: instantOf(4) })
    expect(resumed).toStrictEqual(at(4, { cancelRequested: true, lastEventAt: CREATED_AT }))
  })
})

describe('foldEvent: item', () => {
  test('item makes a pending row in the next place', () => {
    const job = after({ type: 'item', id: 'a', label: 'a.csv' }, { type: 'item', id: 'b', progress: 0 })
    expect(job).toStrictEqual(
      at(3, {
        items: [
          { id: 'a', index: 0, version: 2, status: 'pending', label: 'a.csv' },
          { id: 'b', index: 1, version: 3, status: 'pending', progress: 0 },
        ],
        itemCounts: { pending: 2, running: 0, succeeded: 0, failed: 0, skipped: 0 },
      }),
    )
  })

  test('item changes the row of its id in place, keeps what it leaves out and clears with null', () => {
    const made: JobEvent = {
      type: 'item',
      id: 'a',
      status: 'running',
      label: 'a.csv',
      progress: 50,
      message: 'm',
      error: 'e',
    }
    expect(
      after(made, { type: 'item', id: 'b', label: 'b' }, { type: 'item', id: 'a', progress: 51 }).items[0],
    ).toStrictEqual({
      id: 'a',
      index: 0,
      version: 4,
      status: 'running',
      label: 'a.csv',
      progress: 51,
      message: 'm',
      error: 'e',
    })
    expect(
      after(made, { type: 'item', id: 'a', label: null, progress: null, message: null, error: null }).items,
    ).toStrictEqual([{ id: 'a', index: 0, version: 3, status: 'running' }])
  })

  for (const from of itemStatuses) {
    for (const to of itemStatuses) {
      test(`item from ${from} to ${to} moves one in itemCounts`, () => {
        const counts = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }
        const job = after({ type: 'item', id: 'a', status: from }, { type: 'item', id: 'a', status: to })
        expect(job.itemCounts).toStrictEqual({ ...counts, [to]: 1 })
      })
    }
  }

  test('item without a status leaves itemCounts as they are', () => {
    const job = after({ type: 'item', id: 'a', status: 'failed' }, { type: 'item', id: 'a', message: 'again' })
    expect(job.itemCounts).toStrictEqual({ pending: 0, running: 0, succeeded: 0, failed: 1, skipped: 0 })
  })

  test('item ids that name parts of every object are ids like any other', () => {
    const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '0']
    const job = after(
      ...ids.map((id): JobEvent => ({ type: 'item', id, status: 'running' })),
      ...ids.map((id): JobEvent => ({ type: 'item', id, status: 'succeeded' })),
      ...ids.map((id): JobEvent => ({ type: 'step', id, status: 'running' })),
    )
    expect(job.items.map(({ id, index, status }) => [id, index, status])).toStrictEqual(
      ids.map((id, index) => [id, index, 'succeeded']),
    )
    expect(job.steps.map(({ id, index }) => [id, index])).toStrictEqual(ids.map((id, index) => [id, index]))
    expect(job.itemCounts).toStrictEqual({ pending: 0, running: 0, succeeded: 6, failed: 0, skipped: 0 })
  })
})

describe('foldEvent: step', () => {
  test('step makes a pending row in the next place, with no times', () => {
    const job = after({ type: 'step', id: 'read', label: 'Read', weight: 3 }, { type: 'step', id: 'write', total: 9 })
    expect(job).toStrictEqual(
      at(3, {
        steps: [
          { id: 'read', index: 0, version: 2, status: 'pending', label: 'Read', weight: 3 },
          { id: 'write', index: 1, version: 3, status: 'pending', total: 9 },
        ],
      }),
    )
  })

  test('step changes the row of its id in place, keeps what it leaves out and clears with null', () => {
    const made: JobEvent = { type: 'step', id: 'a', label: 'A', done: 1, total: 2, message: 'm', weight: 3 }
    expect(after(made, { type: 'step', id: 'b', done: 0 }, { type: 'step', id: 'a', done: 2 }).steps[0]).toStrictEqual({
      id: 'a',
      index: 0,
      version: 4,
      status: 'pending',
      label: 'A',
      done: 2,
      total: 2,
      message: 'm',
      weight: 3,
    })
    expect(
      after(made, { type: 'step', id: 'a', label: null, done: null, total: null, message: null, weight: null }).steps,
    ).toStrictEqual([{ id: 'a', index: 0, version: 3, status: 'pending' }])
  })

  /** The times of one step after it has gone through statuses, the first at version 2. */
  const times = (...statuses: (typeof itemStatuses)[number][]) => {
    const { startedAt, endedAt } = after(...statuses.map((status): JobEvent => ({ type: 'step', id: 'a', status })))
      .steps[0] ?? { startedAt: 'no step' }
    return [startedAt, endedAt]
  }

  test('step starts when it first runs, and ends when it first succeeds, fails or is skipped', () => {
    expect(times('running')).toEqual([instantOf(2), undefined])
    expect(times('running', 'running')).toEqual([instantOf(2), undefined])
    for (const end of ['succeeded', 'failed', 'skipped'] as const) {
      expect(times('running', end)).toEqual([instantOf(2), instantOf(3)])
      expect(times('running', end, end)).toEqual([instantOf(2), instantOf(3)])
      expect(times(end)).toEqual([undefined, instantOf(2)])
    }
  })

  test('step that runs again starts again, and has no end', () => {
    expect(times('running', 'failed', 'running')).toEqual([instantOf(4), undefined])
    expect(times('running', 'failed', 'running', 'succeeded')).toEqual([instantOf(4), instantOf(5)])
  })

  test('step that waits again has neither started nor ended', () => {
    expect(times('running', 'pending')).toEqual([undefined, undefined])
    expect(times('running', 'failed', 'pending')).toEqual([undefined, undefined])
  })

  test('step without a status keeps its times', () => {
    const job = after(
      { type: 'step', id: 'a', status: 'running' },
      { type: 'step', id: 'a', status: 'succeeded' },
      { type: 'step', id: 'a', message: 'tidying up' },
    )
    expect([job.steps[0]?.startedAt, job.steps[0]?.endedAt]).toEqual([instantOf(2), instantOf(3)])
  })
})

describe('foldEvent: error and log', () => {
  test('error adds a row with what it says, and counts it', () => {
    expect(
      after({ type: 'error', message: 'bad row', code: 'E1', itemId: 'a' }, { type: 'error', message: '' }),
    ).toStrictEqual(
      at(3, {
        errors: [
          { version: 2, at: instantOf(2), message: 'bad row', code: 'E1', itemId: 'a' },
          { version: 3, at: instantOf(3), message: '' },
        ],
        errorCount: 2,
      }),
    )
  })

  test('log adds a line, info by default, and counts it', () => {
    expect(after({ type: 'log', message: 'one' }, { type: 'log', message: 'two', level: 'error' })).toStrictEqual(
      at(3, {
        logs: [
          { version: 2, at: instantOf(2), level: 'info', message: 'one' },
          { version: 3, at: instantOf(3), level: 'error', message: 'two' },
        ],
        logCount: 2,
      }),
    )
  })

  test(`error keeps the newest ${ERROR_WINDOW}, log the newest ${LOG_WINDOW}; the counts go on`, () => {
    const many = (count: number, event: JobEvent) => after(...new Array<JobEvent>(count).fill(event))
    const error: JobEvent = { type: 'error', message: 'x' }
    const log: JobEvent = { type: 'log', message: 'x' }
    const ends = (rows: { version: number }[]) => [rows.length, rows[0]?.version, rows.at(-1)?.version]
    expect(ends(many(100, error).errors)).toEqual([100, 2, 101])
    expect(ends(many(101, error).errors)).toEqual([100, 3, 102])
    expect(many(101, error).errorCount).toBe(101)
    expect(ends(many(1_000, log).logs)).toEqual([1_000, 2, 1_001])
    expect(ends(many(1_001, log).logs)).toEqual([1_000, 3, 1_002])
    expect(many(1_001, log).logCount).toBe(1_001)
  })
})
