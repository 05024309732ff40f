import { describe, expect, test } from 'bun:test'
import type { ListQuery, Page } from '../../../../../server/jobs/engine.ts'
import { MOST_SEARCHED, TextFilter } from '../../../../../server/jobs/paging/text-filter.ts'
import type { JobHeader } from '../../../../../shared/document/job.ts'
import { newHeader } from '../../../../arbitraries.ts'

/** A list of as many jobs, of which each `every`th is wanted. */
function listOf(count: number, every: number) {
  const all = Array.from({ length: count }, (_, i) =>
    newHeader({ id: `j${i}`, kind: 'k', owner: 'o', title: i % every === every - 1 ? 'Wanted Job' : 'Other' }),
  )
  return async ({ cursor = '0', limit }: ListQuery) => {
    const end = Number(cursor) + limit
    return { rows: all.slice(Number(cursor), end), ...(end < count ? { nextCursor: `${end}` } : {}) }
  }
}

const query = { owner: 'o', limit: 3 }

describe('TextFilter', () => {
  test('TextFilter finds all that match, a page at a time, none twice', async () => {
    const found: string[] = []
    for (let cursor: string | undefined = '0'; cursor !== undefined; ) {
      const page = await new TextFilter(' JOB wanted', listOf(250, 10)).read({ ...query, cursor })
      expect(page.rows.length).toBeLessThanOrEqual(3)
      found.push(...page.rows.map(({ id }) => id))
      cursor = page.nextCursor
    }
    expect(found).toEqual(Array.from({ length: 25 }, (_, i) => `j${i * 10 + 9}`))
  })

  test('TextFilter leaves out none when a job that matches is created meanwhile', async () => {
    const job = (id: string, title = 'Wanted') => newHeader({ id, kind: 'k', owner: 'o', title })
    const all = [job('a'), job('b'), job('c', 'Other'), job('d'), job('e')]
    let reads = 0
    const list = async ({ cursor, limit }: ListQuery) => {
      // The newest comes first. A cursor names the last that was read.
      if (++reads === 2) all.unshift(job('new'))
      const start = all.findIndex(({ id }) => id === cursor) + 1
      const rows = all.slice(start, start + limit)
      return start + limit < all.length ? { rows, nextCursor: rows.at(-1)?.id ?? '' } : { rows }
    }
    const found: string[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page: Page<JobHeader> = await new TextFilter('wanted', list).read({ ...query, cursor, limit: 2 })
      expect(page.rows.length).toBeLessThanOrEqual(2)
      found.push(...page.rows.map(({ id }) => id))
      cursor = page.nextCursor
    }
    expect(found).toEqual(['new', 'a', 'b', 'd', 'e'])
  })

  test('TextFilter searches so many jobs for one request, and says where it stopped', async () => {
    const filter = new TextFilter('wanted', listOf(MOST_SEARCHED + 500, MOST_SEARCHED + 200))
    let cursor: string | undefined = '0'
    while (!filter.isSpent) {
      const page = await filter.read({ ...query, cursor })
      expect(page.rows).toEqual([])
      cursor = page.nextCursor ?? ''
    }
    expect(cursor).toBe(`${MOST_SEARCHED}`)
  })
})
