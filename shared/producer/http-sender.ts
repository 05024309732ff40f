import { readJson, readProblem } from '../wire/answers.ts'
import type { ProblemDocument } from '../wire/api.ts'
import { retryAfterMs } from '../wire/retry-after.ts'
import type { Receipt, Sent } from './batcher.ts'

/** A failed request. */
export type Failed = Exclude<Sent, { receipt: Receipt }>

/** The outcome of a producer's request: the body, or the failure. */
export type Answer<T> = { body: T } | { failed: Failed; problem?: ProblemDocument | undefined }

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
  const problem = ok ? undefined : await readProblem(response)
  const afterMs = retryAfterMs(response, now)
  // A proxy has a smaller limit than the server, which has not seen the request.
  if (!problem) return { failed: { retry: true, afterMs, ...(status === 413 ? { tooLarge: true } : {}) } }
  const { detail } = problem
  if (status === 400 || status === 413 || status === 415 || status === 422)
    return { failed: { rejected: detail }, problem }
  if (status === 403 || status === 404 || status === 409) return { failed: { refused: detail }, problem }
  // A 401 may be temporary; the other statuses are by definition.
  return { failed: { retry: true, afterMs }, problem }
}
