import { useEffect, useMemo } from 'preact/hooks'
import { createAnnouncer } from '../element/announcer.ts'
import { say } from '../element/live-region.ts'
import type { JobWords } from '../text/words.ts'
import { format } from './page.ts'

/** Announces the progress of the page's job to screen readers. */
export function useAnnouncements(words: JobWords, title: string | undefined): void {
  const announcer = useMemo(() => createAnnouncer(say), [])
  useEffect(() => announcer(words, title, format))
}
