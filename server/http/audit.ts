import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { isJobId } from '../../shared/document/job.ts'
import { qualify } from '../../shared/document/tenant.ts'
import { auditQuerySchema } from '../../shared/wire/api.ts'
import { fullName, requireScope } from '../auth/access.ts'
import type { AuditEntry } from '../auth/audit.ts'
import type { Problem } from '../errors.ts'
import { valid } from './body/validation.ts'
import { type App, type Env, keepAlive, type RouteContext, routeOf } from './request/context.ts'
import { sessionCookie } from './request/identify.ts'

/** The route to list the audit. */
export function auditRoutes(app: App, { audit }: RouteContext): void {
  app.get('/api/audit', valid('query', auditQuerySchema), async (c) => {
    const principal = c.get('principal')
    requireScope(principal, 'jobs:admin')
    return c.json(await audit.list(principal.tenant, c.req.valid('query')), 200, { 'cache-control': 'no-store' })
  })
}

type Recording = Pick<RouteContext, 'audit' | 'front'>

/**
 * Records what a request has done, without waiting for the store.
 *
 * @param entry `sub` is a full name; by default that of the principal, who knows `for` and `job` by the names in the entry
 */
export function recordAct(c: Context<Env>, context: Recording, entry: AuditEntry): void {
  const tenant = c.get('principal')?.tenant
  const { for: whose, job } = entry
  const recorded = context.audit.record({
    ...senderOf(c, context),
    ...entry,
    ...(whose === undefined ? {} : { for: qualify(tenant, whose) }),
    ...(job === undefined ? {} : { job: qualify(tenant, job) }),
  })
  keepAlive(c, recorded)
}

function senderOf(c: Context<Env>, { front }: Recording): Pick<AuditEntry, 'sub' | 'address' | 'requestId'> {
  const principal = c.get('principal')
  const address = front.addressOf(c.req.raw, c.env)
  const requestId: string | undefined = c.get('requestId' as never)
  return {
    ...(principal === undefined ? {} : { sub: fullName(principal) }),
    ...(address === undefined ? {} : { address }),
    ...(requestId === undefined ? {} : { requestId }),
  }
}

/** Prepares to record refusals of what comes over a WebSocket: on Deno its request can't be read any more by then. */
export function refusalRecorder(c: Context<Env>, context: Recording): (problem: Problem) => void {
  const request = { ...senderOf(c, context), ...requestOf(c) }
  return ({ status, detail }) => {
    const action = status === 403 ? 'refused' : 'credentials-refused'
    void context.audit.record({ action, ...request, status, detail })
  }
}

/** Records that a request was refused if its sender, or their credentials, may not do what they tried. Strangers are not recorded. */
export function recordRefusal(c: Context<Env>, context: Recording, { status, detail }: Problem): void {
  if (status === 403) recordAct(c, context, { action: 'refused', ...requestOf(c), status, detail })
  else if (status === 401 && hasCredentials(c, context)) {
    recordAct(c, context, { action: 'credentials-refused', ...requestOf(c), status, detail })
  }
}

/** Records an attempt to sign in that failed. */
export function recordFailedSignIn(c: Context<Env>, context: Recording, detail: string): void {
  recordAct(c, context, { action: 'credentials-refused', ...requestOf(c), status: 401, detail })
}

function hasCredentials(c: Context<Env>, { front }: Recording): boolean {
  const { req } = c
  const hasToken = req.header('authorization') !== undefined || req.query('token') !== undefined
  return hasToken || getCookie(c, sessionCookie(c, front).name) !== undefined
}

/** What a request was for: its method and the path of its route, which is neither long nor secret, and the job of a known principal. */
function requestOf(c: Context<Env>): Pick<AuditEntry, 'method' | 'path' | 'job'> {
  const path = routeOf(c)
  const job = c.get('principal') && /\/api\/jobs\/([^/?#]+)/.exec(c.req.url)?.[1]
  return { method: c.req.method.slice(0, 16), path, ...(job !== undefined && isJobId(job) ? { job } : {}) }
}
