import { navigate } from '../navigation.ts'
import { format } from '../page.ts'
import { type Filter, toHref } from '../route.ts'
import { text } from '../text.ts'

const order: readonly Filter[] = ['all', 'running', 'finished', 'failed']

interface FiltersProps {
  selected: Filter
  search: string
  counts: Record<Filter, number>
  /** Older jobs are not counted. */
  hasMore: boolean
}

/** Which jobs the list shows, and how many there are of each. */
export function Filters({ selected, search, counts, hasMore }: FiltersProps) {
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
          aria-pressed={filter === selected}
          onClick={() => navigate(toHref({ page: 'jobs', filter, search }), { replace: true })}
        >
          {text.filters[filter]} <span class="count">{label(filter)}</span>
        </button>
      ))}
    </fieldset>
  )
}
