import type { JobStatus } from '../document/job.ts'
import { readJson, readProblem } from '../wire/answers.ts'
import type { ProblemDocument, Receipt } from '../wire/api.ts'
import { FOREIGN_WAIT_MS, retryAfterMs } from '../wire/retry-after.ts'
import type { Sent } from './batcher.ts'

/** The longest `Retry-After` of the server that is honoured, in milliseconds: a longer one is a mistake, and may not fit a timer. */
const RETRY_AFTER_MAX_MS = 3_600_000

/** A failed request. */
export type Failed = Exclude<Sent, { receipt: Receipt }>

/** The outcome of a producer's request: the body, or the failure. */
export type Answer<T> = { body: T } | { failed: Failed; problem?: ProblemDocument | undefined; status?: number }

/**
 * Reads the answer to a producer's request. Only the server's own errors are refusals; any other answer means that it is away.
 *
 * @param isOurs whether the body of a success is the server's
 * @param now milliseconds since the epoch
 */
export async function readAnswer<T>(
  response: Response,
  isOurs: (body: unknown) => body is T,
  now: number,
): Promise<Answer<T>> {
  const { ok, status } = response
  const body = ok ? await readJson(response) : undefined
  if (isOurs(body)) return { body }
  const problem = await readProblem(response)
  const failed = problem && failureOf(status, problem.detail, problem.jobStatus)
  if (failed && !('retry' in failed)) return { failed, problem, status }
  const afterMs = retryAfterMs(response, now, problem ? RETRY_AFTER_MAX_MS : FOREIGN_WAIT_MS)
  // Without a problem it is a proxy that has a smaller limit than the server, which has not seen the request.
  return { failed: { retry: true, afterMs, tooLarge: status === 413 }, problem, status }
}

/** What a producer does after a problem of the server: drop the event, give up the job, or try again. */
export function failureOf(status: number, detail: string, jobStatus?: JobStatus): Failed {
  if ([400, 413, 415, 422].includes(status)) return { rejected: detail }
  // A 401 may be temporary; the other statuses are by definition.
  return [403, 404, 409].includes(status) ? { refused: detail, jobStatus } : { retry: true }
}

/** The statuses with which `fetch` follows a `Location` (fetch.spec.whatwg.org/#redirect-status). */
const REDIRECTS = [301, 302, 303, 307, 308]

/**
 * What is wrong with a redirect and what to do about it: a predicate to follow the name of the server. `undefined` for any other answer.
 *
 * A producer's requests have `redirect: 'manual'`: what follows a redirect is about another address, and `fetch` makes a `GET` of most
 * redirected `POST`s. Browsers show neither status nor `Location` of a redirect (`opaqueredirect`).
 *
 * @param url what was requested
 */
export function explainRedirect({ type, status, headers }: Response, url: string): string | undefined {
  // Types of some runtimes do not know this type of browsers.
  if ((type as string) !== 'opaqueredirect' && !REDIRECTS.includes(status)) return undefined
  const location = headers.get('location')
  if (!location || !URL.canParse(location, url)) return `answers with a redirect, which is not followed. ${ELSEWHERE}`
  const [from, to] = [new URL(url), new URL(location, url)]
  const isMoved = to.pathname === from.pathname && to.origin !== from.origin
  const remedy = isMoved ? `Set the URL with ${to.origin} instead of ${from.origin}.` : ELSEWHERE
  // Without its query, which may hold a secret of the sign-in.
  return `answers with a redirect to ${to.origin}${to.pathname}, which is not followed. ${remedy}`
}

const ELSEWHERE = 'Set a URL at which Milepost itself answers.'
