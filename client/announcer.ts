import type { Format } from './format.ts'
import type { JobState } from './job-language.ts'
import type { JobWords } from './words.ts'

/** States that are said at once: whoever waits, waited for them. */
const ENDS: ReadonlySet<JobState> = new Set(['completed', 'completed-with-failures', 'failed', 'cancelled'])

/**
 * Chooses what of a job is said aloud: another state, or another quarter of the work. What was there when the page came is not news.
 */
export class Announcer {
  readonly #say: (text: string, urgent: boolean) => boolean
  #said: { state: JobState; quarter: number } | undefined

  /** @param say says a text and answers `true`, or answers `false` when it is too soon: then it is asked again, with newer words */
  constructor(say: (text: string, urgent: boolean) => boolean) {
    this.#say = say
  }

  /** Takes note of a job's words, and says them under its title when they are news. */
  hear(words: JobWords, title: string | undefined, format: Format): void {
    const { state } = words
    if (state === 'connecting') return
    const quarter = Math.floor((words.percent ?? 0) / 25)
    const said = this.#said
    if (said && (said.state !== state || said.quarter < quarter)) {
      if (!this.#say(sayAloud(words, title, format), said.state !== state && ENDS.has(state))) return
    }
    if (!said || said.state !== state || said.quarter !== quarter) this.#said = { state, quarter }
  }
}

function sayAloud({ chip, sentence }: JobWords, title: string | undefined, { language }: Format): string {
  return [title, chip, sentence].filter((part) => part !== undefined).reduce(language.lineAndAside)
}
