import type { Format } from '../text/format.ts'
import type { JobState } from '../text/job-language.ts'
import type { JobWords } from '../text/words.ts'

/** States that are announced at once, without the rate limit. */
const ENDS = /^(completed|failed|cancelled)/

/** Announces a job's words with its title, if they are news. */
type Announcer = (words: JobWords, title: string | undefined, format: Format) => void

/**
 * Chooses what a screen reader announces: a new state, or another quarter of the work. The first state is not announced.
 *
 * @param say announces a text and returns `true`, or `false` when it is too soon; then it is called again with newer words
 */
export function createAnnouncer(say: (text: string, urgent: boolean) => boolean): Announcer {
  let said: { state: JobState; quarter: number } | undefined
  return ({ state, chip, sentence, percent = 0 }, title, { language }) => {
    if (state === 'connecting') return
    const quarter = Math.floor(percent / 25)
    const isOther = said?.state !== state
    if (said && (isOther || said.quarter < quarter)) {
      const text = [title, chip, sentence].filter((part) => part !== undefined).reduce(language.lineAndAside)
      if (!say(text, isOther && ENDS.test(state))) return
    }
    said = { state, quarter }
  }
}
