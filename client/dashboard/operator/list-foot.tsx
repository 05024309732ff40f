import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import type { Pages } from './use-pages.ts'
import { words } from './words.ts'

/** What stands below a list: why it is not there, that it is empty, and the way to older rows. */
export function ListFoot({ pages, empty }: { pages: Pages<unknown>; empty: string }) {
  const { rows, hasMore, isLoading, error, loadMore, reload } = pages
  return (
    <>
      {error !== undefined && <Notice error={error} onRetry={reload} />}
      {rows === undefined && error === undefined && <p class="muted">{text.loading}</p>}
      {rows?.length === 0 && <p class="muted">{hasMore ? words.nothingFound : empty}</p>}
      {hasMore && (
        <button type="button" class="small" disabled={isLoading} onClick={loadMore}>
          {isLoading ? text.loading : words.older}
        </button>
      )}
    </>
  )
}
