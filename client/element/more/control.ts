import { readProblem } from '../../../shared/wire/answers.ts'
import { jobPath } from '../../../shared/wire/paths.ts'
import type { JobLocation } from '../../connection/job-url.ts'

/**
 * Asks the server to do something to a job, with the reader's session: watch tokens only read.
 *
 * @param action `cancel`, `pause`, `resume` or `answers/ASK`
 * @throws Error with the server's reason
 */
export async function controlJob(location: JobLocation | undefined, action: string, body?: object): Promise<void> {
  if (!location) throw new Error('There is no job: src is not set.')
  const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  // A sign-in page that a proxy redirects to is no success.
  const init: RequestInit = { method: 'POST', redirect: 'error', ...json }
  const response = await fetch(`${location.base}/${jobPath(location.id)}/${action}`, init).catch(() => undefined)
  if (response?.ok) return
  const problem = response && (await readProblem(response))
  throw new Error(problem?.detail ?? 'The server does not answer. Nothing was changed.')
}
