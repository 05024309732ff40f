import { useEffect, useMemo } from 'preact/hooks'
import { createAnnouncer } from '../announcer.ts'
import { say } from '../live-region.ts'
import type { JobWords } from '../words.ts'
import { format } from './page.ts'

/** Announces the progress of the page's job to screen readers. */
export function useAnnouncements(words: JobWords, title: string | undefined): void {
  const announcer = useMemo(() => createAnnouncer(say), [])
  useEffect(() => announcer(words, title, format))
}
