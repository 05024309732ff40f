/** What the element loads when it is needed, as `/widget-more.js`. It imports little that the element has: modules are not shared with it. */
import type { Job } from '../../shared/document/job.ts'
import { isJob, readJson } from '../../shared/wire/answers.ts'

/** Failed items that are listed at most. */
const FAILURES_SHOWN = 50

/**
 * The failures of a job, as rows with their reasons; `undefined` when it can't be read.
 *
 * @param url of the whole document: the header only counts failures
 */
export async function loadFailures(url: string): Promise<Node[] | undefined> {
  const answer = await readJson(await fetch(url))
  if (!isJob(answer)) return undefined
  return failuresOf(answer as Job)
    .slice(0, FAILURES_SHOWN)
    .map(({ name, reason = '' }) => row('li', 'failure', name, row('small', 'reason', reason)))
}

/** The failed items, or, without any, the errors. */
function failuresOf({ items, errors }: Job): { name: string; reason?: string | undefined }[] {
  const failed = items.filter(({ status }) => status === 'failed')
  if (failed.length === 0) return errors.map(({ message }) => ({ name: message }))
  return failed.map(({ id, label, error, message }) => ({ name: label ?? id, reason: error ?? message }))
}

function row(tag: 'li' | 'small', part: string, ...inside: (Node | string)[]): HTMLElement {
  const made = document.createElement(tag)
  made.className = part
  made.part = part
  made.append(...inside)
  return made
}
