import { useEffect } from 'preact/hooks'
import { text } from './text.ts'

/** Names the page in the window's title. */
export function useTitle(page: string): void {
  useEffect(() => {
    document.title = text.title(page)
  }, [page])
}
