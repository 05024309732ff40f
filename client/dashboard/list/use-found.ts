import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { JobHeader } from '../../../shared/document/job.ts'
import { getProgressPercent } from '../../../shared/document/selectors.ts'
import type { JobList } from '../../../shared/wire/api.ts'
import { jobsPath } from '../../../shared/wire/paths.ts'
import type { JobListSignal, JobRow } from '../../signals/job-list-signal.ts'
import { call } from '../api.ts'
import type { Filter } from '../route.ts'
import { statusOf } from './filter-jobs.ts'
import { owner, whose } from './whose-jobs.ts'

/** How long a reader types before the server is asked: milliseconds. */
const TYPING_MS = 250
/** Requests that follow each other while none finds anything: each searches 2,000 jobs. */
const MOST_IN_VAIN = 10

/** What the server found for a filter and a search, beyond the list that is live. */
export interface SearchedJobs {
  rows: readonly JobRow[]
  hasMore: boolean
  isLoading: boolean
  error: unknown
  /** How often more was loaded: rows that the reader has asked for are shown at once. */
  loads: number
  loadMore(): void
}

interface Pages {
  key: string
  jobs: readonly JobHeader[]
  nextCursor: string | undefined
}

/**
 * Asks the server for the jobs of a filter and a search, page by page. The live list has the jobs that run, and the newest others: what it
 * has is newer than what was found.
 */
export function useFound(list: JobListSignal, filter: Filter, search: string): SearchedJobs {
  const query = new URLSearchParams({ limit: '100' })
  const status = statusOf(filter)
  if (status) query.set('status', status)
  const words = search.trim().slice(0, 200)
  if (words !== '') query.set('q', words)
  const ofWhom = owner.value || (whose.value === 'everyone' ? '*' : '')
  if (ofWhom !== '') query.set('owner', ofWhom)
  // All that run are in the live list; without a filter and a search, it has older ones itself.
  const key = filter === 'running' || (filter === 'all' && words === '') ? '' : `${query}`
  const asked = useRef(key)
  asked.current = key
  const [pages, setPages] = useState<Pages>()
  const [isLoading, setLoading] = useState(false)
  const [error, setError] = useState<unknown>()
  const [loads, setLoads] = useState(0)
  const shown = pages?.key === key ? pages : undefined

  const load = async (before?: Pages) => {
    setLoading(true)
    setError(undefined)
    try {
      let jobs = before?.jobs ?? []
      let cursor = before?.nextCursor
      for (let requests = 0; requests < MOST_IN_VAIN; requests++) {
        const path = cursor === undefined ? key : `${key}&cursor=${encodeURIComponent(cursor)}`
        const page: JobList = await (await call(`${jobsPath}?${path}`)).json()
        // The reader may have chosen other jobs meanwhile.
        if (asked.current !== key) return
        jobs = [...jobs, ...page.jobs]
        cursor = page.nextCursor
        setPages({ key, jobs, nextCursor: cursor })
        if (page.jobs.length > 0 || cursor === undefined) break
      }
    } catch (reason) {
      if (asked.current === key) setError(reason)
    }
    if (asked.current !== key) return
    setLoading(false)
    setLoads((count) => count + 1)
  }
  useEffect(() => {
    setLoading(key !== '')
    setError(undefined)
    if (key === '') return
    const timer = setTimeout(load, words === '' ? 0 : TYPING_MS)
    return () => clearTimeout(timer)
  }, [key])

  const rows = useMemo(() => (shown?.jobs ?? []).map(toRow), [shown?.jobs])
  if (key === '') {
    const hasMore = filter === 'all' && list.hasMore.value
    const loadMore = () => void list.loadMore().then(() => setLoads((count) => count + 1))
    return { rows, hasMore, isLoading: list.loading.value, error: undefined, loads, loadMore }
  }
  return {
    rows,
    hasMore: shown?.nextCursor !== undefined,
    isLoading,
    error,
    loads,
    loadMore: () => void load(shown),
  }
}

const toRow = (job: JobHeader): JobRow => ({
  job,
  percent: getProgressPercent(job),
  rate: undefined,
  timeLeft: undefined,
})

/** The rows of the live list and those that were found, newest first, each job once: as the live list has it. */
export function mergeRows(live: readonly JobRow[], found: readonly JobRow[]): readonly JobRow[] {
  if (found.length === 0) return live
  const known = new Set(live.map(({ job }) => job.id))
  const merged = [...live, ...found.filter(({ job }) => !known.has(job.id))]
  return merged.sort(({ job: a }, { job: b }) => (a.createdAt === b.createdAt ? 0 : a.createdAt < b.createdAt ? 1 : -1))
}
