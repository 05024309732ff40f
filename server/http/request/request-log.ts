import type { Context, MiddlewareHandler } from 'hono'
import type { Clock, Random } from '../../../shared/time/clock.ts'
import { withoutTokens } from '../../auth/token-prefix.ts'
import type { Problem } from '../../errors.ts'
import { guarded } from '../../on-error.ts'
import { type Env, routeOf } from './context.ts'
import { type Trace, traceOf } from './trace.ts'

/** A request and its response, without anything secret: neither query nor headers, and no token. */
export interface RequestRecord extends Partial<Trace> {
  /** When the request began: ISO 8601. */
  at: string
  /** `error` for 5xx, `warn` for other refusals. */
  level: 'info' | 'warn' | 'error'
  method: string
  /** Percent-encoded. */
  path: string
  /** The path of the route, with `:id` for ids: `/api/jobs/:id`. */
  route: string
  status: number
  /** Until the response began, for a stream its headers: milliseconds. */
  ms: number
  /** The `X-Request-Id` of the response. */
  requestId?: string
  /** The principal, if the request was identified. */
  sub?: string
  /** The tenant of the principal, if it is in one. */
  tenant?: string
  job?: string
  /** Of a refusal: the problem type and what it says. */
  problem?: Problem['type']
  detail?: string
}

/**
 * Middleware that reports each request when its response begins. It comes before all others.
 *
 * @param onError called when `onRequest` fails: the response is that of a finished request, so it stays as it is
 */
export function requestLog(
  onRequest: (record: RequestRecord) => void,
  clock: Clock,
  random: Random,
  onError: (error: unknown) => void,
): MiddlewareHandler<Env> {
  const report = guarded((c: Context<Env>, at: string, start: number) => {
    const ms = Math.round((clock.monotonic() - start) * 1_000) / 1_000
    return onRequest({ at, ...recordOf(c, random), ms })
  }, onError)
  return async (c, next) => {
    const start = clock.monotonic()
    const at = new Date(clock.now()).toISOString()
    await next()
    report(c, at, start)
  }
}

/** The path of a URL, which need not be valid: Bun passes on what it can't parse, such as a `Host` of `localhost:99999`. */
function pathOf(url: string): string {
  const path = /^[^/]*\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] || '/'
  return path.replace(/[^!-~]+/g, (text) => encodeURIComponent(text.toWellFormed()))
}

function recordOf(c: Context<Env>, random: Random): Omit<RequestRecord, 'at' | 'ms'> {
  const { status } = c.res
  const path = withoutTokens(pathOf(c.req.url))
  const record: Omit<RequestRecord, 'at' | 'ms'> = {
    level: status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info',
    method: c.req.method,
    path,
    route: routeOf(c),
    status,
  }
  const requestId: string | undefined = c.get('requestId' as never)
  if (requestId !== undefined) record.requestId = requestId
  const principal = c.get('principal')
  if (principal !== undefined) record.sub = withoutTokens(principal.sub)
  if (principal?.tenant !== undefined) record.tenant = withoutTokens(principal.tenant)
  const job = /\/api\/jobs\/([^/]+)/.exec(path)?.[1]
  if (job !== undefined) record.job = job
  const problem = c.get('problem')
  if (problem !== undefined) Object.assign(record, { problem: problem.type, detail: withoutTokens(problem.detail) })
  return Object.assign(record, traceOf(c, random))
}
