import type { Clock } from '../../shared/time/clock.ts'
import { requireServerAdmin } from '../auth/access.ts'
import { ProblemError, problems, refuse } from '../errors.ts'
import { createOpenApi, openApiTexts } from './openapi/openapi.ts'
import { type App, absoluteLinkTo, type RouteContext } from './request/context.ts'
import { identify } from './request/identify.ts'
import { matchesEtag } from './request/request-parameters.ts'

/** How long the result of a readiness check is cached: milliseconds. */
const READY_MS = 1_000

/** The routes of operators: health, readiness, metrics, and the API description. */
export function operationRoutes(app: App, context: RouteContext): void {
  const { engine, hub, limits, metrics, processMetrics, clock, onError, front } = context
  app.get('/healthz', (c) => c.json({ status: 'ok' }, 200, { 'cache-control': 'no-store' }))

  let isReady = true
  const check = shared(READY_MS, clock, async () => {
    try {
      await engine.check()
      if (!isReady) onError('The store answers again.')
      isReady = true
    } catch (error) {
      // The response is public, so only the operator gets the cause; once, not with every check.
      if (isReady) onError(`The store does not answer, and /readyz fails until it does: ${firstLineOf(error)}`)
      isReady = false
      throw error instanceof ProblemError ? error : refuse(problems.unavailable('The store does not answer.'))
    }
  })
  app.get('/readyz', async (c) => {
    await check()
    return c.json({ status: 'ok', engine: engine.name }, 200, { 'cache-control': 'no-store' })
  })

  const describe = openApiTexts(() => createOpenApi(limits))
  app.get('/openapi.json', async (c) => {
    const { json, etag } = await describe(absoluteLinkTo(c, front, '') || '/')
    const headers = { etag, 'cache-control': 'public, max-age=0, must-revalidate' }
    if (matchesEtag(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers)
    return c.body(json, 200, { ...headers, 'content-type': 'application/json' })
  })

  app.get('/metrics', async (c) => {
    requireServerAdmin(await identify(c, context))
    const { streams, channels } = hub.open
    const byView = Object.entries(hub.streams).map(([view, count]) => [`{view="${view}"}`, count])
    const text = metrics.render([
      { name: 'milepost_streams', type: 'gauge', help: 'Open event streams.', samples: { '': streams } },
      {
        name: 'milepost_watchers',
        type: 'gauge',
        help: 'Open event streams by view: whole jobs, headers of jobs, lists of jobs, figures of the server (operator); and connections of producers (report).',
        samples: Object.fromEntries(byView),
      },
      {
        name: 'milepost_channels',
        type: 'gauge',
        help: 'Jobs and owners that open streams follow.',
        samples: { '': channels },
      },
      ...(processMetrics?.() ?? []),
    ])
    return c.body(text, 200, { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' })
  })
}

const firstLineOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]

/** Caches the outcome of work while it is pending, and for `ms` milliseconds from its start. */
export function shared<T>(ms: number, clock: Clock, work: () => Promise<T>): () => Promise<T> {
  let last: { at: number; isPending: boolean; outcome: Promise<T> } | undefined
  return () => {
    const now = clock.now()
    // `abs`: a clock that was set back must not extend the cache.
    if (last && (last.isPending || Math.abs(now - last.at) < ms)) return last.outcome
    const made = { at: now, isPending: true, outcome: work() }
    const end = () => {
      made.isPending = false
    }
    made.outcome.then(end, end)
    last = made
    return made.outcome
  }
}
