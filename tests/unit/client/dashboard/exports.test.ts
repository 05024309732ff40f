import { describe, expect, test } from 'bun:test'
import { itemsToCsv } from '../../../../client/dashboard/job/more/exports.ts'
import { layOut } from '../../../../client/dashboard/job/more/timeline-spans.ts'
import type { Item, Job } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'

describe('itemsToCsv', () => {
  test.each(['=1', '+1', '-1', '@a', '\t1', '\r1'])('itemsToCsv makes no formula of %j', (error) => {
    const item: Item = { id: 'a', index: 0, version: 2, status: 'failed', error }
    expect(itemsToCsv([item]).split(',').at(-1)?.replaceAll('"', '')).toStartWith("'")
  })
})

describe('layOut', () => {
  const job: Job = {
    ...newHeader({ status: 'running', startedAt: '2026-01-01T00:00:00.000Z' }),
    steps: [
      {
        id: 'a',
        index: 0,
        version: 2,
        status: 'succeeded',
        startedAt: '2026-01-01T00:00:10.000Z',
        endedAt: '2026-01-01T00:00:30.000Z',
      },
      { id: 'b', index: 1, version: 3, status: 'running', startedAt: '2026-01-01T00:00:30.000Z' },
      { id: 'c', index: 2, version: 4, status: 'pending' },
    ],
    items: [],
    errors: [],
    logs: [],
  }

  test('layOut puts the steps that have begun where they were in the time of the job', () => {
    const { rows } = layOut(job, Date.parse('2026-01-01T00:01:40.000Z'))
    expect(rows.map(({ step, start, width }) => [step.id, start, width])).toEqual([
      ['a', 10, 20],
      ['b', 30, 70],
    ])
  })

  test('layOut stays within the time of the job, whatever its clocks said', () => {
    const { rows } = layOut(job, Date.parse('2025-12-31T00:00:00.000Z'))
    for (const { start, width } of rows)
      expect([start >= 0, width >= 0, start + width <= 100]).toEqual([true, true, true])
  })
})
