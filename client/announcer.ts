import type { Format } from './format.ts'
import type { JobState } from './job-language.ts'
import type { JobWords } from './words.ts'

/** States that are said at once: whoever waits, waited for them. */
const ENDS: ReadonlySet<JobState> = new Set(['completed', 'completed-with-failures', 'failed', 'cancelled'])

/** Takes note of a job's words, and says them under its title when they are news. */
export type Announcer = (words: JobWords, title: string | undefined, format: Format) => void

/**
 * Chooses what of a job is said aloud: another state, or another quarter of the work. What was there when the page came is not news.
 *
 * @param say says a text and answers `true`, or answers `false` when it is too soon: then it is asked again, with newer words
 */
export function createAnnouncer(say: (text: string, urgent: boolean) => boolean): Announcer {
  let said: { state: JobState; quarter: number } | undefined
  return ({ state, chip, sentence, percent = 0 }, title, { language }) => {
    if (state === 'connecting') return
    const quarter = Math.floor(percent / 25)
    const isOther = said?.state !== state
    if (said && (isOther || said.quarter < quarter)) {
      const text = [title, chip, sentence].filter((part) => part !== undefined).reduce(language.lineAndAside)
      if (!say(text, isOther && ENDS.has(state))) return
    }
    said = { state, quarter }
  }
}
