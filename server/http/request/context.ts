import type { Context, Hono, MiddlewareHandler } from 'hono'
import { basePath, matchedRoutes } from 'hono/route'
import type { Limits } from '../../../shared/document/limits.ts'
import type { Clock, Random } from '../../../shared/time/clock.ts'
import { withoutSlash } from '../../../shared/wire/paths.ts'
import type { Principal } from '../../auth/access.ts'
import type { Audit } from '../../auth/audit.ts'
import type { Auth } from '../../auth/auth.ts'
import type { CheckedAuthenticate } from '../../auth/authenticate.ts'
import type { Oidc } from '../../auth/oidc.ts'
import type { Sessions } from '../../auth/sessions.ts'
import type { SignInCodes } from '../../auth/sign-in-codes.ts'
import type { Problem } from '../../errors.ts'
import type { History } from '../../history.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Engine } from '../../jobs/engine.ts'
import type { FairTurns } from '../../jobs/fair-turns.ts'
import type { Jobs } from '../../jobs/jobs.ts'
import type { MetricFamily, Metrics } from '../../metrics.ts'
import type { OnError } from '../../on-error.ts'
import type { DigestOf } from '../../support/digest.ts'
import type { Webhooks } from '../../webhooks/webhooks.ts'
import type { Front } from './front.ts'
import type { Rate, Rates } from './rates.ts'
import type { Trace } from './trace.ts'

/** Hono's variables of a request. */
export interface Env {
  Variables: {
    principal: Principal
    /** Why the request was refused. */
    problem: Problem
    /** Set by `traceOf`. */
    trace: Trace
  }
}

/** A Hono app of Milepost. */
export type App = Hono<Env>

/** Dependencies of the routes. */
export interface RouteContext {
  audit: Audit
  engine: Engine
  hub: Hub
  jobs: Jobs
  auth: Auth
  /** The app's own sessions, if any. */
  authenticate: CheckedAuthenticate | undefined
  /** The OpenID provider of the dashboard, if any. */
  oidc: Oidc | undefined
  /** The secret that signs cookies. */
  secret: string
  sessions: Sessions
  webhooks: Webhooks
  front: Front
  signIns: SignInCodes
  limits: Limits
  rates: Rates
  metrics: Metrics
  /** The last hour of this process. Omitted where no timer outlives a request, as on Workers. */
  history: History | undefined
  processMetrics: (() => readonly MetricFamily[]) | undefined
  clock: Clock
  random: Random
  /** Recognizes a repeated request by its events. */
  digestOf: DigestOf
  /** Spreads long work over turns. Omitted where a request must not wait for another request's work, as on Workers. */
  turns?: FairTurns | undefined
  /** Middleware of every response. */
  onEach: MiddlewareHandler
  onError: OnError
}

/** Middleware that counts a request against a rate of its principal. @throws ProblemError 429 */
export function counted(rates: Rates, rate: Rate): MiddlewareHandler<Env> {
  return async (c, next) => {
    rates.take(c.get('principal'), rate)
    await next()
  }
}

/** The path of the route that a request is for; `/*` for none. */
export const routeOf = (c: Context): string =>
  matchedRoutes(c).findLast((route) => !route.path.endsWith('*'))?.path ?? '/*'

/** A path of this app, below its mount path. */
export function linkTo(c: Context, path: string): string {
  return withoutSlash(basePath(c)) + path
}

/** A path of this app as an absolute URL; as a path if the server's public origin is unknown. */
export function absoluteLinkTo(c: Context, front: Front, path: string): string {
  const origin = front.originOf(c.req.raw, c.env)
  return (origin ?? '') + linkTo(c, path)
}

/** Lets work continue after the response on Workers, which would end it. */
export function keepAlive(c: Context, work: Promise<unknown>): void {
  try {
    c.executionCtx.waitUntil(work)
  } catch {
    // Other runtimes have no such context and need none.
  }
}
