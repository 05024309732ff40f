import { readJson, readProblem } from './answers.ts'
import type { ProblemDocument } from './api.ts'
import type { Receipt, Sent } from './batcher.ts'
import { retryAfterMs } from './retry-after.ts'

/** A request that did not do what it should. */
export type Failed = Exclude<Sent, { receipt: Receipt }>

/** What a producer's request came to: what was asked for, or what went wrong. */
export type Answer<T> = { body: T } | { failed: Failed; problem?: ProblemDocument | undefined }

/**
 * Reads the answer to a producer's request. Only the server can refuse; any other answer than its own means that it is away.
 *
 * @param isOurs whether the body of a good answer is the server's
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
  // Something on the way takes less at once than the server does, which has not seen it.
  if (!problem) return { failed: { retry: true, afterMs, ...(status === 413 ? { tooLarge: true } : {}) } }
  const { detail } = problem
  if (status === 400 || status === 413 || status === 415 || status === 422)
    return { failed: { rejected: detail }, problem }
  if (status === 403 || status === 404 || status === 409) return { failed: { refused: detail }, problem }
  // A token that is refused (401) may be so in passing; the others say it of themselves.
  return { failed: { retry: true, afterMs }, problem }
}
