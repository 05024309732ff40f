import { useEffect } from 'preact/hooks'
import { text } from './text.ts'

/** Sets the title of the document. */
export function useTitle(page: string): void {
  useEffect(() => {
    document.title = text.title(page)
  }, [page])
}
