import type { Context } from 'hono'
import type { Problem } from '../errors.ts'

/** Seconds after which a client may try again. */
const RETRY_AFTER: Partial<Record<Problem['status'], string>> = { 429: '10', 503: '2' }

/** A problem document (RFC 9457). */
export function problemResponse(c: Context, problem: Problem, more: Readonly<Record<string, string>> = {}): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  // RFC 9110, 11.6.1: a 401 says how to authenticate.
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer'
  const retryAfter = RETRY_AFTER[problem.status]
  if (retryAfter) headers['retry-after'] = retryAfter
  return c.body(JSON.stringify(problem), problem.status, { ...headers, ...more })
}
