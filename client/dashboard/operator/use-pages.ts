import { useRef, useState } from 'preact/hooks'
import { call } from '../api.ts'
import { useEvery } from './use-every.ts'

/** How often the first page of a list is loaded again: milliseconds. */
const RELOAD_MS = 30_000

/** A list that is read page by page. */
export interface Pages<Row> {
  /** Omitted until the first page is there. */
  rows: readonly Row[] | undefined
  hasMore: boolean
  isLoading: boolean
  error: unknown
  loadMore(): void
  reload(): void
}

/**
 * Loads a list, and its first page again from time to time: not while it is held, because rows must not move then, nor once older pages are
 * shown.
 *
 * @param path of the API, with a query; another path starts over
 */
export function usePages<Body extends { nextCursor?: string | undefined }, Row>(
  path: string,
  rowsOf: (body: Body) => readonly Row[],
  isHeld: boolean,
): Pages<Row> {
  const [list, setList] = useState<{ path: string; rows: readonly Row[]; nextCursor: string | undefined }>()
  const [error, setError] = useState<unknown>()
  const [isLoading, setLoading] = useState(false)
  const hasOlder = useRef(false)
  const asked = useRef(path)
  asked.current = path

  const load = async (before: readonly Row[], cursor?: string) => {
    // The reader who asked for older rows waits; nobody does when the first page is loaded again.
    setLoading(cursor !== undefined)
    try {
      const response = await call(cursor === undefined ? path : `${path}&cursor=${encodeURIComponent(cursor)}`)
      const body: Body = await response.json()
      // The reader may have chosen another list meanwhile.
      if (asked.current !== path) return
      hasOlder.current = cursor !== undefined
      setList({ path, rows: [...before, ...rowsOf(body)], nextCursor: body.nextCursor })
      setError(undefined)
    } catch (reason) {
      if (asked.current === path) setError(reason)
    }
    setLoading(false)
  }
  const shown = list?.path === path ? list : undefined
  useEvery(RELOAD_MS, () => void (shown && (isHeld || hasOlder.current) ? undefined : load([])), path)
  return {
    rows: shown?.rows,
    hasMore: shown?.nextCursor !== undefined,
    isLoading,
    error,
    loadMore: () => void load(shown?.rows ?? [], shown?.nextCursor),
    reload: () => void load([]),
  }
}
