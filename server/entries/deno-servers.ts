import { ConfigError } from '../config.ts'
import { DenoKvEngine } from '../engines/deno-kv/engine.ts'
import type { Opener } from '../engines/open.ts'
import type { Serve } from '../http/base-path.ts'
import { EngineOpenError } from '../jobs/engine.ts'
import { configuredApp } from './configured.ts'
import { notConfigured, type Platform, readHostedConfig } from './hosted.ts'
import { greeting, listenError, openLocal, stopOnSignal } from './local.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What serves, whoever listens. */
export interface DenoServer {
  readonly fetch: Serve
  /** Listens where the settings say. */
  listen(): void
  /** `deno serve` listens, where its own flags say. */
  onListen(address: Deno.NetAddr): void
}

/** What Deno tells a handler of the connection. */
const addressOf = (_request: Request, info: unknown) => {
  const { remoteAddr } = info as Deno.ServeHandlerInfo
  return 'hostname' in remoteAddr ? remoteAddr.hostname : undefined
}

const denoKv: Opener = { form: 'deno-kv:PATH', open: (place, limits) => DenoKvEngine.open(place, { limits }) }

const deploy: Platform = {
  name: 'Deno Deploy',
  engine: 'deno-kv:',
  howToSetSecret: 'Make one with "openssl rand -hex 32", and add it to the environment variables of the app.',
}

/** How long a server that ran out of descriptors waits for some to be given back: milliseconds. */
const LISTEN_AGAIN_MS = 250

/** A server of one's own. */
export async function openOwn(environment: Environment): Promise<DenoServer> {
  const local = await openLocal(environment, { engines: { 'deno-kv': denoKv }, addressOf })
  const { serve: fetch, hostname, config } = local
  let server: Deno.HttpServer | undefined
  let isStopping = false
  stopOnSignal(local, async () => {
    isStopping = true
    await server?.shutdown()
  })

  /** Listens, and again when Deno has ceased to: it does (2.9.5) once it is out of descriptors, and leaves open what is open. */
  function listenAt(port: number, onListen: (address: Deno.NetAddr) => void): void {
    let listened = port
    server = Deno.serve(
      {
        hostname,
        port,
        onListen: (address) => {
          listened = address.port
          onListen(address)
        },
      },
      fetch,
    )
    server.finished.catch((error) => {
      console.error(`Listening stopped, and begins again: ${error.message}`)
      listenAgain(listened)
    })
  }

  function listenAgain(port: number): void {
    setTimeout(() => {
      if (isStopping) return
      try {
        listenAt(port, () => {})
      } catch {
        // It takes a descriptor to listen, too.
        listenAgain(port)
      }
    }, LISTEN_AGAIN_MS)
  }

  return {
    fetch,
    listen() {
      try {
        listenAt(config.port, ({ port }) => console.log(greeting(local, port)))
      } catch (error) {
        throw error instanceof Deno.errors.NotCapable ? error : listenError(error, hostname, config.port)
      }
    },
    onListen({ hostname, port }) {
      if (!config.secret && hostname !== '127.0.0.1') {
        throw new ConfigError(
          'Without MILEPOST_SECRET the server listens on this machine only: set it, or add --host 127.0.0.1.',
        )
      }
      console.log(greeting({ ...local, hostname }, port))
    },
  }
}

/** A server on Deno Deploy, where nobody reads what is printed as it starts. */
export async function openDeployed(environment: Environment): Promise<DenoServer> {
  const serverOf = (fetch: DenoServer['fetch']) => ({ fetch, listen: () => void Deno.serve(fetch), onListen: () => {} })
  try {
    const config = readHostedConfig(deploy, environment)
    const engine = await DenoKvEngine.open('', config)
    // Deploy routes by the host: a request with another name does not come here.
    return serverOf(configuredApp(config, { engine, hosts: ['*'], addressOf }).serve)
  } catch (error) {
    if (!isForTheUser(error)) throw error
    return serverOf(() => notConfigured(error))
  }
}

/** What the user can mend: a setting, a store, or a permission, of which Deno says which it is. */
export function isForTheUser(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof EngineOpenError || error instanceof Deno.errors.NotCapable
}
