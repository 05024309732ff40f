import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { defaultLimits, type Limits } from '../shared/document/limits.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../shared/time/clock.ts'
import type { AuditRecord } from '../shared/wire/api.ts'
import type { Principal } from './auth/access.ts'
import { Audit } from './auth/audit.ts'
import { Auth, type AuthOptions } from './auth/auth.ts'
import { type Authenticate, checkedAuthenticate } from './auth/authenticate.ts'
import { Oidc, type OidcOptions } from './auth/oidc.ts'
import { Sessions } from './auth/sessions.ts'
import { SignInCodes } from './auth/sign-in-codes.ts'
import { DEFAULT_AUDIT_SECONDS, DEFAULT_PING_SECONDS, DEFAULT_RETENTION_SECONDS } from './config.ts'
import { type Problem, ProblemError, problems } from './errors.ts'
import { History } from './history.ts'
import { auditRoutes, recordRefusal } from './http/audit.ts'
import { jobRoutes } from './http/jobs.ts'
import { operationRoutes } from './http/operations.ts'
import { operatorRoutes, readingOf } from './http/operator.ts'
import { type Assets, pageRoutes } from './http/pages/routes.ts'
import { progressRoutes } from './http/progress.ts'
import { cloudEventRoutes } from './http/publish/cloud-events.ts'
import { answerDirectly } from './http/publish/direct.ts'
import { eventRoutes } from './http/publish/events.ts'
import { reportRoutes } from './http/publish/report.ts'
import type { UpgradeWebSocket } from './http/publish/web-socket.ts'
import type { App, Env, RouteContext } from './http/request/context.ts'
import { Front, type FrontOptions } from './http/request/front.ts'
import { identify } from './http/request/identify.ts'
import { Rates } from './http/request/rates.ts'
import { type RequestRecord, requestLog } from './http/request/request-log.ts'
import { commonHeaders, problemResponse } from './http/request/responses.ts'
import { traceOf } from './http/request/trace.ts'
import { createStartService, type StartService, serviceRoutes } from './http/services.ts'
import { sessionRoutes, signInRoutes } from './http/sessions.ts'
import { webhookRoutes } from './http/webhooks.ts'
import { Hub } from './hub/hub.ts'
import type { OpenStream } from './hub/stream/stream.ts'
import { AppJobs } from './jobs/app-jobs.ts'
import { StoreOutage } from './jobs/background/store-outage.ts'
import { Sweeper } from './jobs/background/sweeper.ts'
import type { Engine } from './jobs/engine.ts'
import { FairTurns } from './jobs/fair-turns.ts'
import { Jobs } from './jobs/jobs.ts'
import { ListCursors } from './jobs/paging/list-cursors.ts'
import { TrustedClock } from './jobs/trusted-clock.ts'
import { type MetricFamily, Metrics } from './metrics.ts'
import { type FailedRequest, guarded, type OnError } from './on-error.ts'
import type { Services } from './services/kit/service.ts'
import { fastestDigest } from './support/digest.ts'
import { type WebhookOptions, Webhooks } from './webhooks/webhooks.ts'

/** Options of {@link createApp}. Only the engine and the secret have no default. */
export interface AppOptions extends FrontOptions {
  engine: Engine
  auth: AuthOptions & {
    /**
     * Identifies requests by the app's own sessions: cookies, a gateway's header. Called for every request without a token of Milepost; if
     * it returns nothing, tokens and sign-in links apply. A request that changes something has to come from a page of this origin, unless
     * it has a bearer token.
     */
    authenticate?: Authenticate | undefined
  }
  /** An OpenID provider that signs people in to the dashboard. */
  oidc?: OidcOptions | undefined
  /** Overrides of the default limits. */
  limits?: Partial<Limits>
  /** How long changes are gathered before they are sent together: milliseconds. Default: 25; 0: one turn of the event loop. */
  frameMs?: number
  /** Interval of pings: seconds. Default and maximum: 30, because clients take a longer silence for a lost connection. */
  pingSeconds?: number
  /** Retention of ended jobs: seconds. Default: 30 days. */
  retentionSeconds?: number | undefined
  /** `max-age` of Strict-Transport-Security: seconds. Not sent by default. */
  hstsSeconds?: number | undefined
  /** Origins whose pages may call the API with a token. None by default. */
  origins?: readonly string[]
  /** Who is told of jobs that end, and how. */
  webhooks?: WebhookOptions | undefined
  /** Reference services to offer. */
  services?: Services
  /** The built dashboard and element. Omitted: no pages. */
  assets?: Assets
  clock?: Clock
  random?: Random
  /** The runtime's own stream, if it is faster than the standard one. */
  openStream?: OpenStream
  /** The runtime's own SHA-256 of a text, in hexadecimal, if it has one that is synchronous: a publish with an idempotency key needs it. */
  sha256?: ((text: string) => string) | undefined
  /** The runtime's way to accept a WebSocket, as Hono's adapters have it. Omitted: producers send requests only. */
  upgradeWebSocket?: UpgradeWebSocket | undefined
  /**
   * Engine subscriptions that one stream may hold, where a request must not use what another has opened, as on Workers.
   * Omitted: the streams of a job share one subscription and their frames.
   */
  subscriptionsPerStream?: number
  /** What the runtime measures of its process, for `/metrics`. */
  processMetrics?: (() => readonly MetricFamily[]) | undefined
  /** Called for each request when its response begins: for logs and traces. What it throws goes to `onError`. */
  onRequest?: ((record: RequestRecord) => void) | undefined
  /** How long the audit keeps its records: seconds. Default: 30 days. */
  auditSeconds?: number | undefined
  /** Called for each record of the audit as it is written. What it throws goes to `onError`. */
  onAudit?: ((record: AuditRecord) => void) | undefined
  /** Called for failures. Default: the server log. */
  onError?: OnError
}

/** A Hono app to serve or to mount inside another, with functions to use it in this process. */
export type Milepost = App & {
  /** Creates jobs, and reports on them, from within this process. */
  readonly jobs: AppJobs
  readonly hub: Hub
  readonly startService: StartService
  /** Creates a code for `/sign-in?code=` that works once, within ten minutes, in this process. `onUse` is called when it is used. */
  createSignInCode(principal: Principal, onUse?: () => void): string
  /** Ends the work of this process, all streams and all timers. Clients reconnect, maybe to another server, and resume. */
  close(): Promise<void>
}

const DEFAULT_FRAME_MS = 25

/**
 * The whole of Milepost as one Hono app.
 *
 * @throws TypeError when the secret is missing or too short, or an identity provider has no https URL
 * @example
 * ```ts
 * const app = createApp({ engine: new MemoryEngine(), auth: { secret } })
 * yourApp.route('/progress', app)
 * ```
 */
export function createApp(options: AppOptions): Milepost {
  const { engine, frameMs = DEFAULT_FRAME_MS, random = systemRandom } = options
  const clock = new TrustedClock(options.clock ?? systemClock, engine.lastWrittenAt)
  const { origins = [] } = options
  const tell = (error: unknown) => console.error(error)
  const onError: OnError = options.onError ? guarded(options.onError, tell) : tell
  const limits: Limits = { ...defaultLimits, ...options.limits, ...engine.limits }
  const metrics = new Metrics()
  const sessions = new Sessions({ engine, clock, random, onEnd: (id) => hub.endSession(id) })
  const auth = new Auth(options.auth, clock, sessions, onError)
  const { authenticate } = options.auth
  const front = new Front(options)
  const onEach = commonHeaders(options.hstsSeconds)
  const seam = options.openStream ? { openStream: options.openStream } : {}
  const { retentionSeconds = DEFAULT_RETENTION_SECONDS, pingSeconds = DEFAULT_PING_SECONDS } = options
  const { subscriptionsPerStream } = options
  const pingMs = pingSeconds * 1_000
  const isSessionOpen = (id: string) => sessions.isOpen(id)
  const signIns = new SignInCodes({ engine, clock, random, isSessionOpen })
  const bounds = { limits, subscriptionsPerStream, isSessionOpen }
  const turns = subscriptionsPerStream === undefined ? new FairTurns(clock) : undefined
  const hub = new Hub({ engine, clock, random, metrics, frameMs, pingMs, turns, ...bounds, ...seam })
  const cursors = new ListCursors(options.auth.secret, random)
  const isWatched = hub.isWatched.bind(hub)
  const outage = new StoreOutage()
  const secrets = [options.auth.secret].flat()
  const webhooks = new Webhooks(options.webhooks ?? {}, { engine, secrets, clock, random, metrics, onError })
  const settings = { limits, outage, retentionSeconds, webhooks }
  const jobs = new Jobs({ engine, isWatched, auth, cursors, clock, random, metrics, ...settings })
  const emitter = new AppJobs({ jobs, engine, limits, clock, random })
  const rates = new Rates(clock, limits)
  const { auditSeconds = DEFAULT_AUDIT_SECONDS, onAudit } = options
  const audit = new Audit({
    engine,
    clock,
    random,
    seconds: auditSeconds,
    onRecord: onAudit && guarded(onAudit, onError),
    onError,
  })
  const { processMetrics } = options
  // Where streams don't share turns no timer outlives its request.
  const history = turns && new History(clock, () => readingOf({ metrics, hub, processMetrics }))
  const context: RouteContext = {
    audit,
    rates,
    engine,
    hub,
    jobs,
    auth,
    authenticate: authenticate && checkedAuthenticate(authenticate, clock, onError),
    oidc: options.oidc && new Oidc(options.oidc, clock),
    secret: secrets[0] ?? '',
    sessions,
    webhooks,
    signIns,
    front,
    limits,
    metrics,
    processMetrics,
    history,
    clock,
    random,
    digestOf: fastestDigest(options.sha256),
    turns,
    onEach,
    onError,
  }

  /** The refusal of a request without valid credentials: 401, or 429 if its address has sent too many. */
  const limitStranger = (unauthenticated: ProblemError, c: Context): ProblemError => {
    return rates.refusalOfStranger(front.addressOf(c.req.raw, c.env)) ?? unauthenticated
  }

  const app = new Hono<Env>()
  const refuseWith = (c: Context<Env>, problem: Problem, headers?: Readonly<Record<string, string>>): Response => {
    metrics.countRefusal(problem)
    c.set('problem', problem)
    recordRefusal(c, context, problem)
    return problemResponse(c, problem, headers)
  }
  app.onError((error, c) => {
    if (error instanceof ProblemError) {
      const { problem, headers } = error.problem.status === 401 ? limitStranger(error, c) : error
      return refuseWith(c, problem, headers)
    }
    // The JSON validator throws this, as plain text, for a body that is not JSON.
    if (error instanceof HTTPException && error.status === 400) {
      const errors = [{ field: 'body', detail: 'is not valid' }]
      return refuseWith(c, problems.malformed('The body does not match its content type.', errors))
    }
    onError(error, requestOf(c))
    return refuseWith(c, problems.internal())
  })
  const requestOf = (c: Context<Env>): FailedRequest => {
    const requestId: string | undefined = c.get('requestId' as never)
    const trace = traceOf(c, random)
    return { ...(requestId === undefined ? {} : { requestId }), ...(trace ? { traceId: trace.traceId } : {}) }
  }
  app.notFound((c) => refuseWith(c, problems.nothingHere()))
  if (options.onRequest) app.use('*', requestLog(options.onRequest, clock, random, onError))
  reportRoutes(app, context, options.upgradeWebSocket)
  if (origins.length > 0) allowOrigins(app, origins)
  eventRoutes(app, context)
  app.use('*', onEach)
  app.use('/api/*', async (c, next) => {
    rates.take(await identify(c, context), 'requestsPerSecond')
    await next()
  })
  cloudEventRoutes(app, context)
  jobRoutes(app, context)
  progressRoutes(app, context)
  signInRoutes(app, context)
  sessionRoutes(app, context)
  auditRoutes(app, context)
  webhookRoutes(app, context)
  const startService = createStartService(jobs, emitter, options.services ?? {}, limits.services)
  serviceRoutes(app, context, startService)
  operationRoutes(app, context)
  operatorRoutes(app, context)
  if (options.assets) pageRoutes(app, context, options.assets)

  const sweeper = new Sweeper({ engine, clock, outage, retentionSeconds, webhookUrls: webhooks.urls, onError })
  sweeper.start()
  webhooks.start(sweeper)
  history?.start()
  return Object.assign(app, {
    // A log of requests is middleware, which sees only what the router does.
    fetch: options.onRequest ? app.fetch : answerDirectly(app.fetch, context, options),
    jobs: emitter,
    hub,
    startService,
    createSignInCode: signIns.create.bind(signIns),
    close: async () => {
      sweeper.stop()
      webhooks.stop()
      history?.stop()
      await emitter.close()
      hub.close()
      await audit.close()
    },
  })
}

/** Lets pages of these origins call the API. */
function allowOrigins(app: App, origins: readonly string[]): void {
  const crossOrigin = cors({
    // In a list, `*` would be compared as an origin.
    origin: origins.includes('*') ? '*' : [...origins],
    allowHeaders: ['authorization', 'content-type', 'idempotency-key', 'last-event-id'],
    exposeHeaders: ['etag', 'location', 'retry-after', 'ratelimit', 'ratelimit-policy', 'date'],
  })
  app.use('/api/*', (c, next) => {
    if (c.req.header('origin') !== undefined) return crossOrigin(c, next)
    // Skip the middleware for requests without `Origin`: it would rebuild the response, which is slow.
    c.header('vary', 'Origin')
    return next()
  })
}
