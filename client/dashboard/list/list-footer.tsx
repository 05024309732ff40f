import { jobList } from '../page.ts'
import { Notice } from '../parts/notice.tsx'
import type { Filter } from '../route.ts'
import { text } from '../text.ts'
import type { SearchedJobs } from './use-found.ts'
import { owner } from './whose-jobs.ts'

interface ListFooterProps {
  filter: Filter
  search: string
  /** How many jobs are listed. */
  count: number
  found: SearchedJobs
}

/** What stands below the list: that nothing was found, and the way to older jobs. */
export function ListFooter({ filter, search, count, found }: ListFooterProps) {
  const { hasMore, isLoading, error, loadMore } = found
  if (error !== undefined) return <Notice error={error} onRetry={loadMore} />
  const isEmpty = count === 0 && jobList.value.ready.value && !isLoading
  const nothing = isEmpty ? nothingIn(filter, search) : undefined
  if (nothing === undefined && !hasMore && !isLoading) return null
  return (
    <div class={nothing === undefined ? 'list-foot' : 'blank'}>
      {nothing !== undefined && <p>{nothing}</p>}
      {nothing !== undefined && hasMore && <p>{text.olderMayMatch}</p>}
      {hasMore ? (
        <button type="button" disabled={isLoading} onClick={loadMore}>
          {isLoading ? text.loading : text.loadMore}
        </button>
      ) : (
        isLoading && <p class="muted">{text.loading}</p>
      )}
    </div>
  )
}

function nothingIn(filter: Filter, search: string): string | undefined {
  if (search !== '') return text.nothingFound(search)
  if (filter !== 'all') return text.nothingHere[filter]
  return owner.value === '' ? undefined : text.nothingOf(owner.value)
}
