import type { Context, MiddlewareHandler } from 'hono'
import { withoutTokens } from '../../auth/token-prefix.ts'
import type { Problem } from '../../errors.ts'

/** `Retry-After` by status: seconds. */
const RETRY_AFTER: Partial<Record<Problem['status'], string>> = { 429: '10', 503: '2' }

/** Characters that move the cursor of a terminal, reorder a line or can't be seen: Unicode's Cc, Cf, Zl and Zp. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** JSON or a line of a log in which unseen characters are escaped. The value of JSON stays the same. */
export function escapeUnseen(text: string): string {
  const escaped = (character: string) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
  return text.replace(UNSEEN, (character) => escaped(character).join(''))
}

/** The JSON of a problem. Refusals repeat names from the request, and people read them in terminals and logs. */
export const problemText = (problem: Problem) => escapeUnseen(withoutTokens(JSON.stringify(problem)))

/** A response with a problem document (RFC 9457). */
export function problemResponse(c: Context, problem: Problem, more: Readonly<Record<string, string>> = {}): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  // RFC 9110, 11.6.1: a 401 says how to authenticate.
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer'
  const retryAfter = RETRY_AFTER[problem.status]
  if (retryAfter) headers['retry-after'] = retryAfter
  return c.body(problemText(problem), problem.status, { ...headers, ...more })
}

/**
 * Middleware that sets the headers of every response: the request id, and those against MIME sniffing and, with HSTS, plain HTTP.
 *
 * @param hstsSeconds `max-age` of Strict-Transport-Security; browsers ignore the header without TLS (RFC 6797, 8.1)
 */
export function commonHeaders(hstsSeconds: number | undefined): MiddlewareHandler {
  const fixed = Object.entries(fixedHeaders(hstsSeconds))
  return (c, next) => {
    for (const [name, value] of fixed) c.header(name, value)
    const id = requestIdOf(c.req.header('x-request-id'))
    c.set('requestId', id)
    c.header('x-request-id', id)
    return next()
  }
}

/** Headers of every response, against MIME sniffing and, with HSTS, plain HTTP. */
export function fixedHeaders(hstsSeconds: number | undefined): Readonly<Record<string, string>> {
  const hsts = hstsSeconds === undefined ? {} : { 'strict-transport-security': `max-age=${hstsSeconds}` }
  return { 'x-content-type-options': 'nosniff', ...hsts }
}

/** The id of a request: the one that a proxy gave to it, or a new one. It is written to logs, so a token is none. */
export function requestIdOf(header: string | null | undefined): string {
  const isId = header && /^[\w=-]{1,255}$/.test(header) && withoutTokens(header) === header
  return isId ? header : crypto.randomUUID()
}
