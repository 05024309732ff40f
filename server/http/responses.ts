import type { Context, MiddlewareHandler } from 'hono'
import { requestId } from 'hono/request-id'
import type { Problem } from '../errors.ts'

/** `Retry-After` by status: seconds. */
const RETRY_AFTER: Partial<Record<Problem['status'], string>> = { 429: '10', 503: '2' }

/** A response with a problem document (RFC 9457). */
export function problemResponse(c: Context, problem: Problem, more: Readonly<Record<string, string>> = {}): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  // RFC 9110, 11.6.1: a 401 says how to authenticate.
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer'
  const retryAfter = RETRY_AFTER[problem.status]
  if (retryAfter) headers['retry-after'] = retryAfter
  return c.body(JSON.stringify(problem), problem.status, { ...headers, ...more })
}

/**
 * Middleware that sets the headers of every response: the request id, and those against MIME sniffing and, with HSTS, plain HTTP.
 *
 * @param hstsSeconds `max-age` of Strict-Transport-Security; browsers ignore the header without TLS (RFC 6797, 8.1)
 */
export function commonHeaders(hstsSeconds: number | undefined): MiddlewareHandler {
  const nameRequest = requestId()
  const hsts = hstsSeconds === undefined ? undefined : `max-age=${hstsSeconds}`
  return (c, next) => {
    c.header('x-content-type-options', 'nosniff')
    if (hsts !== undefined) c.header('strict-transport-security', hsts)
    return nameRequest(c, next)
  }
}
