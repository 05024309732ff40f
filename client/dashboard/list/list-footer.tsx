import { jobList } from '../page.ts'
import type { Filter } from '../route.ts'
import { text } from '../text.ts'
import { owner } from './whose-jobs.ts'

/** What stands below the list: that nothing was found, and the way to older jobs. */
export function ListFooter({ filter, search, found }: { filter: Filter; search: string; found: number }) {
  const list = jobList.value
  const hasMore = list.hasMore.value && filter !== 'running'
  const nothing =
    found > 0 || !list.ready.value
      ? undefined
      : search !== ''
        ? text.nothingFound(search)
        : filter === 'all'
          ? owner.value === ''
            ? undefined
            : text.nothingOf(owner.value)
          : text.nothingHere[filter]
  if (nothing === undefined && !hasMore) return null
  return (
    <div class={nothing === undefined ? 'list-foot' : 'blank'}>
      {nothing !== undefined && <p>{nothing}</p>}
      {nothing !== undefined && hasMore && <p>{text.olderMayMatch}</p>}
      {hasMore && (
        <button type="button" disabled={list.loading.value} onClick={() => list.loadMore()}>
          {list.loading.value ? text.loading : text.loadMore}
        </button>
      )}
    </div>
  )
}
