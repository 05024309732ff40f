import type { Format } from '../../text/format.ts'
import type { JobWords } from '../../text/words.ts'
import { createAnnouncer } from '../announcer.ts'
import { say, useLiveRegion } from '../live-region.ts'

const announcers = new WeakMap<AbortSignal, ReturnType<typeof createAnnouncer>>()

/** Announces a job's words with its title, if they are news. @param signal of the job: aborted when it is left */
export function announceJob(signal: AbortSignal, words: JobWords, title: string | undefined, format: Format): void {
  if (signal.aborted) return
  const known = announcers.get(signal)
  const announce = known ?? createAnnouncer(say)
  if (!known) {
    announcers.set(signal, announce)
    signal.addEventListener('abort', useLiveRegion())
  }
  announce(words, title, format)
}
