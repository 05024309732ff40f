import { jobPagePath } from '../../shared/wire/paths.ts'

/** The jobs that a list shows. */
export type Filter = 'all' | 'running' | 'done' | 'failed' | 'cancelled'

/** A page of the dashboard. */
export type Route =
  /** `owner`: only the jobs of this owner; empty for no such limit. */
  | { page: 'jobs'; filter: Filter; search: string; owner: string }
  | { page: 'job'; id: string }
  | { page: 'docs' }
  | { page: 'operator' }
  | { page: 'missing' }

/** The list without a filter. */
export const ALL_JOBS = { page: 'jobs', filter: 'all', search: '', owner: '' } as const satisfies Route

const filters: readonly string[] = ['running', 'done', 'failed', 'cancelled'] satisfies Filter[]

/**
 * The page at an address.
 *
 * @param base where the app is mounted, with a slash at its end
 */
export function parseRoute(url: URL, base: URL): Route {
  if (url.origin !== base.origin || !`${url.pathname}/`.startsWith(base.pathname)) return { page: 'missing' }
  const path = url.pathname.slice(base.pathname.length)
  if (path === '') {
    const filter = url.searchParams.get('show') ?? ''
    return {
      page: 'jobs',
      filter: filters.includes(filter) ? (filter as Filter) : 'all',
      search: url.searchParams.get('search') ?? '',
      owner: url.searchParams.get('owner') ?? '',
    }
  }
  if (path === 'docs/api') return { page: 'docs' }
  if (path === 'operator') return { page: 'operator' }
  const id = /^jobs\/([^/]+)$/.exec(path)?.[1]
  return id === undefined ? { page: 'missing' } : { page: 'job', id: decode(id) }
}

/** The address of a page, relative to where the app is mounted. */
export function toHref(route: Exclude<Route, { page: 'missing' }>): string {
  if (route.page === 'docs') return 'docs/api'
  if (route.page === 'operator') return 'operator'
  if (route.page === 'job') return jobPagePath(route.id)
  const query = new URLSearchParams()
  if (route.filter !== 'all') query.set('show', route.filter)
  if (route.search !== '') query.set('search', route.search)
  if (route.owner !== '') query.set('owner', route.owner)
  return query.size === 0 ? './' : `./?${query}`
}

/** Malformed escapes stay as they are: no job has such an id, and the page says so. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
