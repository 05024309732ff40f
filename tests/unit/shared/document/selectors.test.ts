import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { itemStatuses, type JobHeader, jobStatuses, type Step } from '../../../../shared/document/job.ts'
import {
  countItems,
  getAmount,
  getItemsByStatus,
  getProgressPercent,
  isStalled,
  isTerminalStatus,
} from '../../../../shared/document/selectors.ts'
import { CREATED_AT, foldAll, history, newDocument, newHeader, placed } from '../../../arbitraries.ts'

const itemCounts = { pending: 1, running: 2, succeeded: 3, failed: 4, skipped: 5 }

describe('isTerminalStatus', () => {
  test('isTerminalStatus holds for completed, failed and cancelled', () => {
    expect(jobStatuses.filter(isTerminalStatus)).toEqual(['completed', 'failed', 'cancelled'])
  })
})

describe('countItems', () => {
  test('countItems counts every status', () => {
    expect(countItems({ itemCounts })).toBe(15)
    expect(countItems(newHeader())).toBe(0)
  })
})

describe('getAmount', () => {
  const amount = (progress: object, counts = itemCounts) =>
    getAmount(newHeader({ progress: { done: 0, ...progress }, itemCounts: counts }))
  const none = newHeader().itemCounts

  test('getAmount is what the producer said, whatever the items say', () => {
    expect(amount({ done: 7 })).toEqual({ done: 7, total: undefined, unit: undefined })
    expect(amount({ done: 7, total: 9, unit: 'files' })).toEqual({ done: 7, total: 9, unit: 'files' })
    expect(amount({ total: 9 })).toEqual({ done: 0, total: 9, unit: undefined })
    expect(amount({ total: 0 })).toEqual({ done: 0, total: 0, unit: undefined })
  })

  test('getAmount is what the items say when the producer said nothing: done are those that are over', () => {
    expect(amount({})).toEqual({ done: 12, total: 15, unit: undefined })
    expect(amount({ unit: 'files' })).toEqual({ done: 12, total: 15, unit: 'files' })
  })

  test('getAmount without either has no total', () => {
    expect(amount({}, none)).toEqual({ done: 0, total: undefined, unit: undefined })
  })
})

describe('getProgressPercent', () => {
  const percent = (
    progress: object,
    status: (typeof jobStatuses)[number] = 'running',
    counts = newHeader().itemCounts,
  ) => getProgressPercent({ status, progress: { done: 0, ...progress }, itemCounts: counts })

  test('getProgressPercent is done of total', () => {
    expect(percent({ done: 13, total: 100 })).toBe(13)
    expect(percent({ done: 1, total: 3 })).toBe(100 / 3)
    for (let done = 0; done <= 100; done++) expect(percent({ done, total: 100 })).toBe(done)
    expect(percent({ done: 0, total: 100 })).toBe(0)
    expect(percent({ done: 0.5, total: 2 })).toBe(25)
  })

  test('getProgressPercent without a total is undefined, never 0', () => {
    expect(percent({})).toBeUndefined()
    expect(percent({ done: 500 })).toBeUndefined()
    expect(percent({ done: 500 }, 'running', itemCounts)).toBeUndefined()
  })

  test('getProgressPercent of a total of 0 is undefined, unless the job is completed', () => {
    expect(percent({ total: 0 })).toBeUndefined()
    expect(percent({ done: 3, total: 0 })).toBeUndefined()
    expect(percent({ total: 0 }, 'completed')).toBe(100)
  })

  test('getProgressPercent comes from the weights of the steps when neither the producer nor the items say a total', () => {
    const step = (index: number, fields: Partial<Step>): Step => ({
      id: `${index}`,
      index,
      version: index + 2,
      status: 'pending',
      ...fields,
    })
    const ofSteps = (fields: Partial<Step>[], header: Partial<JobHeader> = {}) =>
      getProgressPercent({
        ...newHeader({ status: 'running', ...header }),
        steps: fields.map((f, index) => step(index, f)),
      })
    const weighted = [
      { weight: 3, status: 'succeeded' },
      { status: 'running', done: 1, total: 2 },
    ] as const
    expect(ofSteps([...weighted])).toBe(87.5)
    expect(ofSteps([...weighted], { progress: { done: 1, total: 4 } })).toBe(25)
    expect(ofSteps([...weighted], { itemCounts })).toBe(80)
    expect(ofSteps([...weighted], { status: 'completed' })).toBe(100)
    expect(ofSteps([{ weight: 1, status: 'failed' }, { weight: 1, status: 'skipped' }, { weight: 2 }])).toBe(50)
    expect(
      ofSteps([
        { weight: 1, status: 'running', done: 5, total: 4 },
        { weight: 1, total: 0 },
      ]),
    ).toBe(50)
    expect(ofSteps([{ weight: 0, status: 'succeeded' }])).toBeUndefined()
    expect(ofSteps([{ status: 'succeeded' }, { status: 'running' }])).toBeUndefined()
    expect(ofSteps([])).toBeUndefined()
  })

  test('getProgressPercent comes from the items when the producer said nothing', () => {
    expect(percent({}, 'running', itemCounts)).toBe(80)
  })

  test('getProgressPercent of a completed job is 100, of another what was counted', () => {
    for (const status of jobStatuses) {
      expect(percent({ done: 1, total: 4 }, status)).toBe(status === 'completed' ? 100 : 25)
      expect(percent({}, status)).toBe(status === 'completed' ? 100 : undefined)
    }
  })

  test('getProgressPercent stays within 0 and 100 for any numbers that an event may carry', () => {
    expect(percent({ done: 120, total: 100 })).toBe(100)
    expect(percent({ done: Number.MAX_VALUE, total: Number.MIN_VALUE })).toBe(100)
    const most = { weight: Number.MAX_VALUE, status: 'skipped' } as const
    const steps = [most, most].map((step, index) => ({ ...step, id: `${index}`, index, version: 1 }))
    expect(getProgressPercent({ ...newDocument(), steps } as never)).toBe(0)
    fc.assert(
      fc.property(history, (events) => {
        const percent = getProgressPercent(foldAll(newDocument(), placed(events)))
        if (percent !== undefined) expect(percent >= 0 && percent <= 100).toBe(true)
      }),
    )
  })
})

describe('getItemsByStatus', () => {
  test('getItemsByStatus keeps the order of the items, and agrees with itemCounts', () => {
    fc.assert(
      fc.property(history, (events) => {
        const job = foldAll(newDocument(), placed(events))
        for (const status of itemStatuses) {
          const items = getItemsByStatus(job, status)
          expect(items).toHaveLength(job.itemCounts[status])
          expect(items.map(({ index }) => index)).toEqual(items.map(({ index }) => index).sort((a, b) => a - b))
        }
      }),
    )
  })
})

describe('isStalled', () => {
  const created = Date.parse(CREATED_AT)
  const stalled = (fields: object, after: number) =>
    isStalled(newHeader({ status: 'running', heartbeatSeconds: 30, ...fields }), created + after)

  test('isStalled holds once a running job is silent for longer than its heartbeat', () => {
    expect(stalled({}, 30_000)).toBe(false)
    expect(stalled({}, 30_001)).toBe(true)
    expect(stalled({ heartbeatSeconds: 0.5 }, 501)).toBe(true)
  })

  test('isStalled holds for running jobs alone, and for those alone that promised a heartbeat', () => {
    for (const status of jobStatuses) expect(stalled({ status }, 10 ** 9)).toBe(status === 'running')
    const { heartbeatSeconds: _none, ...silent } = newHeader({ status: 'running' })
    expect(isStalled(silent, created + 10 ** 12)).toBe(false)
  })
})
