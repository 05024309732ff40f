/** Common parts of self-hosted servers on all runtimes. */
import { createHash } from 'node:crypto'
import process from 'node:process'
import type { Milepost } from '../app.ts'
import { operator } from '../auth/access.ts'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { type Opener, openEngine } from '../engines/open.ts'
import { samples } from '../generated/samples.ts'
import type { UpgradeWebSocket } from '../http/publish/web-socket.ts'
import type { Serve } from '../http/request/base-path.ts'
import type { FrontOptions } from '../http/request/front.ts'
import type { OpenStream } from '../hub/stream/stream.ts'
import { setJobEvents } from '../jobs/emitter.ts'
import type { Engine } from '../jobs/engine.ts'
import { createServices } from '../services/index.ts'
import { configuredApp } from './configured.ts'
import { keepOwnSecret, makeSecret } from './own-secret.ts'
import { pinnedTransport } from './pinned-transport.ts'
import { ProcessMetrics } from './process-metrics.ts'
import { withSecrets } from './read-secret.ts'

/** Parts that depend on the runtime. */
interface Runtime {
  engines?: Readonly<Record<string, Opener>>
  /** A faster stream than the standard one. */
  openStream?: OpenStream
  upgradeWebSocket?: UpgradeWebSocket
  /** Address of the client of a request. */
  addressOf: NonNullable<FrontOptions['addressOf']>
}

/** Time for pending responses after a stop signal: milliseconds. */
const STOP_MS = 3_000

/** An app that is ready to listen. */
export interface LocalServer {
  app: Milepost
  /** The request handler, under the base path. */
  serve: Serve
  engine: Engine
  config: Config
  /** The address to listen on. */
  hostname: string
  /** Whether the secret is stored or set, so that the command line on this machine can use it too. */
  isSecretKept: boolean
}

/**
 * Reads the configuration, opens the engine and creates the app; does not listen.
 *
 * @throws ConfigError for an invalid setting; EngineOpenError for a store that can't be opened
 */
export async function openLocal(
  environment: Readonly<Record<string, string | undefined>>,
  { engines, ...seams }: Runtime,
): Promise<LocalServer> {
  const config = readConfig(await withSecrets(environment))
  // Without a configured secret the server is reachable from this machine only.
  const hostname = config.host ?? (config.secret ? '0.0.0.0' : '127.0.0.1')
  const engine = await openEngine(config.engine, config, engines)
  const known = config.secret ?? (await keepOwnSecret(config.engine))
  const processMetrics = new ProcessMetrics()
  const parts = {
    ...seams,
    isTerminal: process.stdout.isTTY === true,
    processMetrics: () => processMetrics.read(),
    hosts: [hostname],
    engine,
    services: createServices({ samples }),
    sha256: (text: string) => createHash('sha256').update(text).digest('hex'),
    webhookTransport: pinnedTransport,
  }
  const { app, serve } = configuredApp({ ...config, secret: [known ?? makeSecret()].flat() }, parts)
  setJobEvents(app.jobs)
  return { app, serve, engine, config, hostname, isSecretKept: known !== undefined }
}

/** Start-up message: the server's URL, a sign-in link for the operator, and how to get another link. */
export function greeting({ app, engine, hostname, config, isSecretKept }: LocalServer, port: number): string {
  const { publicOrigin, basePath } = config
  const isEverywhere = hostname === '0.0.0.0' || hostname === '::'
  const host = isEverywhere ? 'localhost' : hostname.includes(':') ? `[${hostname}]` : hostname
  const url = new URL(`http://${host}:${port}${basePath}/`)
  const publicUrl = publicOrigin === undefined ? url : new URL(`${basePath}/`, publicOrigin)
  const code = app.createSignInCode(operator, () => {
    startFirstJob(app, engine).catch((error) => console.error(error))
  })
  const another = isSecretKept
    ? '"milepost sign-in" prints one, and with --admin one that shows everyone\'s jobs'
    : 'start again; set MILEPOST_SECRET for "milepost sign-in", and with --admin for everyone\'s jobs'
  const lines = [
    `Milepost listens on ${url.href}`,
    `Sign in, once:     ${new URL(`sign-in?code=${code}`, publicUrl).href}`,
    `The link works for ten minutes, and shows the jobs of "${operator.sub}". For another, ${another}.`,
  ]
  if (isEverywhere) {
    lines.push('It listens on all addresses of this machine, over HTTP. HOST=127.0.0.1 limits it to this machine.')
  }
  return lines.join('\n')
}

/** An error of listening as a sentence for the operator. */
export function listenError(error: unknown, hostname: string, port: number): ConfigError {
  const reason = error instanceof Error && 'code' in error ? error.code : error
  return reason === 'EADDRINUSE'
    ? new ConfigError(`Port ${port} is in use. Choose another with PORT.`)
    : new ConfigError(`Can't listen on ${hostname}:${port} (${reason}). Set HOST and PORT to a free address.`)
}

/** On SIGINT or SIGTERM ends streams, commits waiting requests and exits. A second signal exits at once. */
export function stopOnSignal({ app, engine }: LocalServer, stopListening: () => Promise<void>): void {
  const stop = async () => {
    await app.close()
    // A client that stopped reading would keep its connection open without end.
    await Promise.race([stopListening(), new Promise((resolve) => setTimeout(resolve, STOP_MS))])
    await engine.close()
    process.exit(0)
  }
  // No listener may be added inside a listener: Deno (2.9.5) would call it for the same signal.
  let isStopping = false
  const codes = { SIGINT: 130, SIGTERM: 143 } as const
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(codes[signal])
      isStopping = true
      void stop()
    })
  }
}

/** Length of the first job, so that its progress and its end can be watched: seconds. */
const FIRST_JOB_SECONDS = '20'

/** On first use starts a sample job, so that the dashboard is not empty. */
async function startFirstJob(app: Milepost, engine: Engine): Promise<void> {
  const { rows } = await engine.list({ owner: operator.sub, limit: 1 })
  if (rows.length > 0) return
  const form = new FormData()
  form.set('sample', 'true')
  form.set('paceSeconds', FIRST_JOB_SECONDS)
  await app.startService(operator, 'sync', form)
}
