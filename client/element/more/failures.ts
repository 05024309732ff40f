import type { Job } from '../../../shared/document/job.ts'
import { isJob, readJson } from '../../../shared/wire/answers.ts'

/** Failed items that are listed at most. */
const FAILURES_SHOWN = 50

/**
 * Shows the failures of a job with their reasons, or hides them.
 *
 * @param url of the whole document: the header only counts failures
 */
export async function toggleFailures(list: HTMLElement, button: HTMLElement, url: string): Promise<void> {
  if (list.hidden) {
    const answer = await readJson(await fetch(url))
    if (!isJob(answer)) return
    const failures = failuresOf(answer as Job).slice(0, FAILURES_SHOWN)
    list.replaceChildren(
      ...failures.map(({ name, reason = '' }) => row('li', 'failure', name, row('small', 'reason', reason))),
    )
  }
  list.hidden = !list.hidden
  button.ariaExpanded = `${!list.hidden}`
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
