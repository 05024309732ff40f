/** Milepost on Bun: environment → engine → app. */
import { randomId, systemRandom } from '../../shared/clock.ts'
import type { Principal } from '../access.ts'
import { createApp, type Milepost } from '../app.ts'
import { ConfigError, readConfig } from '../config.ts'
import type { Engine } from '../engine.ts'
import { openEngine } from '../engines/open.ts'
import { assets } from '../generated/assets.ts'
import { samples } from '../generated/samples.ts'
import { setJobEvents } from '../job-events.ts'
import { createServices } from '../services/index.ts'

/** Whoever follows the link that the server printed: the one who started it. */
const operator: Principal = { sub: 'local', scopes: ['jobs:read', 'jobs:write', 'jobs:admin'] }

/** Bun closes a connection that is silent for longer: seconds, 255 at most. Streams ping every 30. */
const IDLE_SECONDS = 255

/**
 * Serves until the process is asked to stop.
 *
 * @throws ConfigError for a setting that can't be used or a port that is taken; EngineOpenError for a store that can't be opened
 */
export async function serve(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = readConfig(environment)
  // Without a secret of its owner's, a server is nobody's business but this machine's.
  const hostname = config.host ?? (config.secret ? '0.0.0.0' : '127.0.0.1')
  const secret = config.secret ?? randomId(systemRandom, 52)
  const engine = openEngine(config.engine, config.limits)
  const services = createServices({ samples })
  const app = createApp({ ...config, engine, auth: { ...config, secret }, assets, services })
  setJobEvents(app.jobs)
  const server = listen(app, hostname, config.port, config.limits.uploadBytes)
  stopOnSignal(app, engine, server)
  const url = new URL(`http://${hostname === '0.0.0.0' ? 'localhost' : hostname}:${server.port}/`)
  const code = app.createSignInCode(operator, () => void showAround(app, engine))
  console.log(`Milepost listens on ${url.href}\nSign in, once:     ${new URL(`sign-in?code=${code}`, url).href}`)
}

function listen(app: Milepost, hostname: string, port: number, maxRequestBodySize: number): Bun.Server<undefined> {
  try {
    // `development: false`: the default error page shows sources.
    const options = { hostname, port, maxRequestBodySize, idleTimeout: IDLE_SECONDS, development: false } as const
    return Bun.serve({ ...options, fetch: (request) => app.fetch(request) })
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : error
    if (reason === 'EADDRINUSE') throw new ConfigError(`Port ${port} is in use. Choose another with PORT.`)
    throw new ConfigError(`${hostname}:${port} can't be listened on (${reason}). Set HOST and PORT to what can.`)
  }
}

/** Ends streams and commits what waits, then exits. A second signal exits at once. */
function stopOnSignal(app: Milepost, engine: Engine, server: Bun.Server<undefined>): void {
  const stop = async () => {
    process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
    await app.close()
    await server.stop()
    await engine.close()
    process.exit(0)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
}

/** On first use the dashboard would be empty: it begins with work to look at. */
async function showAround(app: Milepost, engine: Engine): Promise<void> {
  const { rows } = await engine.list({ owner: operator.sub, limit: 1 })
  if (rows.length > 0) return
  const form = new FormData()
  form.set('sample', 'true')
  await app.startService(operator, 'sync', form)
}
