import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { plus } from '../../element/icons.ts'
import { say } from '../../element/live-region.ts'
import type { JobListSignal, JobRow } from '../../signals/job-list-signal.ts'
import { format, jobList, useTitle } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { Icon } from '../parts/icon.tsx'
import { lazy } from '../parts/lazy.tsx'
import { Trouble } from '../parts/notice.tsx'
import { useHeldOrder } from '../parts/use-held-order.ts'
import { useHolding } from '../parts/use-holding.ts'
import type { Route } from '../route.ts'
import { text } from '../text.ts'
import { countByFilter, filterJobs } from './filter-jobs.ts'
import { Filters } from './filters.tsx'
import { JobListRow } from './job-row.tsx'
import { ListFooter } from './list-footer.tsx'
import { leaving, selection } from './selection.ts'
import { mergeRows, useFound } from './use-found.ts'
import { useVisibleRows } from './use-visible-rows.ts'
import { owner, whose } from './whose-jobs.ts'
import { WhoseSwitch } from './whose-switch.tsx'

const start = () => import('../start/start.ts')
const EmptyJobs = lazy(async () => (await start()).EmptyJobs)
const BulkBar = lazy(() => import('./bulk/bulk-bar.tsx').then(({ BulkBar }) => BulkBar))
const StartDialog = lazy(async () => (await start()).StartDialog)

/** The jobs of whoever is signed in, live. */
export function JobsPage(shown: Extract<Route, { page: 'jobs' }>) {
  const { filter, search } = shown
  useTitle(text.jobs)
  const [starting, setStarting] = useState(false)
  const list = jobList.value
  const rows = list.rows.value
  const isEmpty = list.ready.value && rows.length === 0
  return (
    <>
      <div class="page-head">
        <Heading>{text.jobs}</Heading>
        <WhoseSwitch shown={shown} />
        {!isEmpty && <Filters shown={shown} counts={countByFilter(rows)} hasMore={list.hasMore.value} />}
        {!isEmpty && (
          <button
            type="button"
            aria-pressed={selection.value !== undefined}
            onClick={() => {
              selection.value = selection.value ? undefined : new Set()
            }}
          >
            {text.select}
          </button>
        )}
        <button type="button" class="primary" onClick={() => setStarting(true)}>
          <Icon icon={plus} />
          {text.start.button}
        </button>
      </div>
      <Trouble error={list.error.value} />
      {isEmpty && owner.value === '' ? (
        <EmptyJobs />
      ) : (
        <JobTable list={list} rows={rows} filter={filter} search={search} />
      )}
      {starting && <StartDialog onClose={() => setStarting(false)} />}
    </>
  )
}

interface JobTableProps {
  list: JobListSignal
  rows: readonly JobRow[]
  filter: Extract<Route, { page: 'jobs' }>['filter']
  search: string
}

function JobTable({ list, rows, filter, search }: JobTableProps) {
  const area = useRef<HTMLDivElement>(null)
  const asked = useFound(list, filter, search)
  const all = useMemo(() => mergeRows(rows, asked.rows), [rows, asked.rows])
  const found = filterJobs(all, filter, search).filter(({ job }) => !leaving.value.has(job.id))
  const byId = useMemo(() => new Map(all.map((row) => [row.job.id, row])), [all])
  const stillFound = new Set(found.map(({ job }) => job.id))
  const isHeld = useHolding(area)
  const { keys, changes, refresh } = useHeldOrder(
    // The rows of another list arrive after it was chosen.
    `${whose.value} ${owner.value} ${list.ready.value} ${filter} ${asked.loads} ${search}`,
    stillFound.size,
    isHeld,
    () => [...stillFound],
    (id) => stillFound.has(id),
  )
  const box = useRef<HTMLUListElement>(null)
  const { start, end, rowHeight } = useVisibleRows(box, keys.length)
  const isAtEnd = end === keys.length && scrollY > 0
  useEffect(() => {
    if (isAtEnd && asked.hasMore && !asked.isLoading && asked.error === undefined) asked.loadMore()
  }, [isAtEnd, asked.hasMore, asked.isLoading])
  useEffect(() => {
    if (search !== '') say(text.found(format.number(found.length)), false)
  }, [search, found.length])
  return (
    <>
      <div class={`card jobs${selection.value ? ' selecting' : ''}`} ref={area}>
        {changes > 0 && (
          <button type="button" class="pill" onClick={refresh}>
            {text.newJobs(format.number(changes))}
          </button>
        )}
        {list.ready.value ? (
          <ul ref={box} style={{ height: `${keys.length * rowHeight}px`, paddingBlockStart: `${start * rowHeight}px` }}>
            {keys.slice(start, end).map((id, index) => {
              const row = byId.get(id)
              return row && <JobListRow key={id} row={row} list={list} place={start + index + 1} count={keys.length} />
            })}
          </ul>
        ) : (
          <p class="blank">{text.loading}</p>
        )}
        <ListFooter filter={filter} search={search} count={keys.length} found={asked} />
      </div>
      {selection.value && <BulkBar rows={found} />}
    </>
  )
}
