import type { Context, Hono, MiddlewareHandler } from 'hono'
import { basePath } from 'hono/route'
import type { Limits } from '../../shared/document/limits.ts'
import type { Clock } from '../../shared/time/clock.ts'
import type { Principal } from '../auth/access.ts'
import type { Auth } from '../auth/auth.ts'
import type { Sessions } from '../auth/sessions.ts'
import type { SignInCodes } from '../auth/sign-in-codes.ts'
import type { Hub } from '../hub/hub.ts'
import type { Engine } from '../jobs/engine.ts'
import type { FairTurns } from '../jobs/fair-turns.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Metrics } from '../metrics.ts'
import type { Front } from './front.ts'
import type { Rate, Rates } from './rates.ts'

/** What requests carry on their way through the app. */
export interface Env {
  Variables: { principal: Principal }
}

export type App = Hono<Env>

/** What the routes are made of. */
export interface RouteContext {
  engine: Engine
  hub: Hub
  jobs: Jobs
  auth: Auth
  /** The app's own sessions, where it has some. */
  authenticate: ((request: Request) => Promise<Principal | undefined>) | undefined
  sessions: Sessions
  front: Front
  signIns: SignInCodes
  limits: Limits
  rates: Rates
  metrics: Metrics
  clock: Clock
  /** Does what takes long in turn. Left out where a request must not wait for what another has begun, as on Workers. */
  turns?: FairTurns | undefined
  /** What every answer has. */
  onEach: MiddlewareHandler
  /** Told of failures that no request is to blame for. */
  onError: (error: unknown) => void
}

/** Counts what a principal asks for by a request. */
export function counted(rates: Rates, rate: Rate): MiddlewareHandler<Env> {
  return async (c, next) => {
    rates.take(c.get('principal'), rate)
    await next()
  }
}

/** A path of this app, under wherever it is mounted. */
export function linkTo(c: Context, path: string): string {
  return basePath(c).replace(/\/$/, '') + path
}

/** A path of this app as an absolute URL; as it is, where it is not known how the client reaches the server. */
export function absoluteLinkTo(c: Context, front: Front, path: string): string {
  const origin = front.originOf(c.req.raw, c.env)
  return (origin ?? '') + linkTo(c, path)
}
