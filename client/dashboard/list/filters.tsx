import { navigate } from '../navigation.ts'
import { format } from '../page.ts'
import { type Filter, type Route, toHref } from '../route.ts'
import { text } from '../text.ts'

const order: readonly Filter[] = ['all', 'running', 'done', 'failed', 'cancelled']

interface FiltersProps {
  shown: Extract<Route, { page: 'jobs' }>
  counts: Record<Filter, number>
  /** Older jobs are not counted. */
  hasMore: boolean
}

/** Which jobs the list shows, and how many there are of each. */
export function Filters({ shown, counts, hasMore }: FiltersProps) {
  const label = (filter: Filter) => {
    const number = format.number(counts[filter])
    // All running jobs are loaded.
    return hasMore && filter !== 'running' ? text.atLeast(number) : number
  }
  return (
    <fieldset class="segments">
      <legend class="unseen">{text.filterLabel}</legend>
      {order.map((filter) => (
        <button
          key={filter}
          type="button"
          aria-pressed={filter === shown.filter}
          onClick={() => navigate(toHref({ ...shown, filter }), { replace: true })}
        >
          {text.filters[filter]} <span class="count">{label(filter)}</span>
        </button>
      ))}
    </fieldset>
  )
}
