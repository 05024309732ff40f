import { describe, expect, test } from 'bun:test'
import { pickTab } from '../../../../client/dashboard/job/items/pick-tab.ts'
import { countByFilter, filterJobs } from '../../../../client/dashboard/list/filter-jobs.ts'
import { countChanges } from '../../../../client/dashboard/parts/use-held-order.ts'
import { newHeader } from '../../../arbitraries.ts'

const row = (
  id: string,
  status: 'pending' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled',
  title = id,
) => ({
  job: newHeader({ id, status, title }),
})
const rows = [
  row('a', 'running', 'Photo archive'),
  row('b', 'pending'),
  row('c', 'completed', 'Archive of März'),
  row('d', 'failed'),
  row('e', 'cancelled'),
  row('f', 'paused'),
]
const ids = (found: typeof rows) => found.map(({ job }) => job.id).join('')

describe('filterJobs', () => {
  test('filterJobs counts as running whatever has not ended', () => {
    expect(ids(filterJobs(rows, 'running', ''))).toBe('abf')
    expect(ids(filterJobs(rows, 'done', ''))).toBe('c')
    expect(ids(filterJobs(rows, 'cancelled', ''))).toBe('e')
    expect(ids(filterJobs(rows, 'failed', ''))).toBe('d')
    expect(ids(filterJobs(rows, 'all', ''))).toBe('abcdef')
    expect(countByFilter(rows)).toEqual({ all: 6, running: 3, done: 1, failed: 1, cancelled: 1 })
  })

  test('filterJobs finds every word of a search, anywhere, in any case', () => {
    expect(ids(filterJobs(rows, 'all', 'ARCHIVE'))).toBe('ac')
    expect(ids(filterJobs(rows, 'all', ' märz  archive '))).toBe('c')
    expect(ids(filterJobs(rows, 'running', 'archive'))).toBe('a')
    expect(ids(filterJobs(rows, 'all', 'nothing'))).toBe('')
  })
})

describe('countChanges', () => {
  test('countChanges counts what came and what went', () => {
    const fresh = new Set(['b', 'c', 'x', 'y'])
    const changes = (held: string[]) => countChanges(held, fresh.size, (id) => fresh.has(id))
    expect(changes(['a', 'b', 'c'])).toBe(3)
    expect(changes([...fresh])).toBe(0)
    expect(changes([])).toBe(4)
  })
})

describe('pickTab', () => {
  const counts = { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 }

  test('pickTab begins with what failed', () => {
    expect(pickTab({ ...counts, failed: 1, running: 4 }, undefined)).toBe('failed')
    expect(pickTab({ ...counts, succeeded: 1, running: 4 }, undefined)).toBe('running')
    expect(pickTab(counts, undefined)).toBe('pending')
  })

  test('pickTab stays where the reader is while there is something to read', () => {
    expect(pickTab({ ...counts, failed: 1, running: 4 }, 'running')).toBe('running')
    expect(pickTab({ ...counts, failed: 1, succeeded: 4 }, 'running')).toBe('failed')
  })

  test('pickTab shows what waits only while there is nothing else', () => {
    expect(pickTab({ ...counts, pending: 9 }, 'pending')).toBe('pending')
    expect(pickTab({ ...counts, pending: 9, running: 1 }, 'pending')).toBe('running')
  })
})
