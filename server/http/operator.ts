import type { OperatorFigures } from '../../shared/wire/operator.ts'
import { requireServerAdmin } from '../auth/access.ts'
import type { History, Reading } from '../history.ts'
import { version } from '../version.ts'
import { shared } from './operations.ts'
import type { App, RouteContext } from './request/context.ts'
import { answerStream, viewerOf } from './stream-response.ts'

/** No number of jobs is counted higher. */
const COUNTED_TO = 10_000
/** Most principals, and jobs with guests, whose streams are listed. */
const MAX_WATCHERS = 20
/** How long the figures of the store are cached: milliseconds. */
const STORE_MS = 5_000

/** The routes of the operator's page: its figures, and the stream of them. */
export function operatorRoutes(app: App, { engine, hub, limits, history, clock }: RouteContext): void {
  const startedAt = new Date(clock.now()).toISOString()
  const readStore = shared(STORE_MS, clock, async () => engine.figures?.(COUNTED_TO))

  const read = async (): Promise<OperatorFigures> => {
    const store = await readStore()
    const { streams, liveJobs, keptJobs, keptBytes } = limits
    return {
      at: new Date(clock.now()).toISOString(),
      process: { startedAt, version, engine: engine.name },
      streams: hub.busiest(MAX_WATCHERS),
      ...(history ? { history: historyOf(history) } : {}),
      ...(store ? { store: { countedTo: COUNTED_TO, ...store } } : {}),
      limits: { streams, liveJobs, keptJobs, keptBytes },
    }
  }

  app.get('/api/operator', async (c) => {
    requireServerAdmin(c.get('principal'))
    return c.json(await read(), 200, { 'cache-control': 'no-store' })
  })

  app.get('/api/operator/progress', (c) => {
    const principal = c.get('principal')
    requireServerAdmin(principal)
    const { expiresAt, session } = principal
    return answerStream(c, () => hub.openFigures(read, viewerOf(c, principal, { expiresAt, session })))
  })
}

/** What the history of a process samples. */
export function readingOf({
  metrics,
  hub,
  processMetrics,
}: Pick<RouteContext, 'metrics' | 'hub' | 'processMetrics'>): Reading {
  const { events, publishes, deliveries, refusals } = metrics.totals
  const delay = processMetrics?.().find(({ name }) => name === 'milepost_event_loop_delay_max_seconds')?.samples['']
  return {
    counters: { events, publishes, deliveries, refusals },
    gauges: { streams: hub.open.streams, ...(delay === undefined ? {} : { delayMs: delay * 1_000 }) },
  }
}

function historyOf({ samples: { seconds, until, series } }: History): OperatorFigures['history'] {
  const { events = [], publishes = [], deliveries = [], refusals = [], streams = [], delayMs } = series
  return {
    seconds,
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    events,
    publishes,
    deliveries,
    refusals,
    streams,
    ...(delayMs ? { delayMs } : {}),
  }
}
