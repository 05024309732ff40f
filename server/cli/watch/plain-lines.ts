import { describeJob } from '../../../client/text/words.ts'
import { englishFormat, plain } from '../remote/plain-text.ts'
import type { WatchedJob } from './draw-job.ts'

/** How much further a job must be for another line: percent. */
const SHARE = 10

/** Tells what changed in a job, a line each, where lines can't be drawn again. */
export class PlainLines {
  #state = ''
  #share = -1
  readonly #steps = new Map<string, string>()
  #errors = 0
  #failed = new Set<string>()

  /** @returns the lines since the last call */
  next(known: WatchedJob): string[] {
    const { job } = known
    const words = describeJob(known, englishFormat)
    const lines: string[] = []
    const share = Math.floor((words.percent ?? 0) / SHARE)
    if (words.state !== this.#state || share !== this.#share) {
      const chip = words.chip ?? ''
      lines.push([chip, job && plain(job.title), plain(words.sentence)].filter(Boolean).join(': '))
    }
    this.#state = words.state
    this.#share = share
    for (const { id, label, status } of job?.steps ?? []) {
      if (this.#steps.get(id) !== status) lines.push(`${plain(label ?? id)}: ${englishFormat.language.rows[status]}`)
      this.#steps.set(id, status)
    }
    for (const { id, label, status, error = '' } of job?.items ?? []) {
      if (status !== 'failed' || this.#failed.has(id)) continue
      this.#failed.add(id)
      lines.push(`${plain(label ?? id)}: ${englishFormat.language.rows.failed}${error && `: ${plain(error)}`}`)
    }
    for (const { version, message } of job?.errors ?? []) {
      if (version <= this.#errors) continue
      this.#errors = version
      lines.push(`Error: ${plain(message)}`)
    }
    return lines
  }
}
