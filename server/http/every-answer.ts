import type { MiddlewareHandler } from 'hono'
import { requestId } from 'hono/request-id'

/**
 * What every answer has: the id of its request, and headers that keep browsers from taking it for something else.
 *
 * @param hstsSeconds how long a browser is to remember that this host is reached over TLS alone; one that came without TLS ignores it
 *   (RFC 6797, 8.1)
 */
export function everyAnswer(hstsSeconds: number | undefined): MiddlewareHandler {
  const nameRequest = requestId()
  const hsts = hstsSeconds === undefined ? undefined : `max-age=${hstsSeconds}`
  return (c, next) => {
    c.header('x-content-type-options', 'nosniff')
    if (hsts !== undefined) c.header('strict-transport-security', hsts)
    return nameRequest(c, next)
  }
}
