import { upgradeWebSocket } from 'hono/deno'
import { ConfigError } from '../../config.ts'
import { DenoKvEngine } from '../../engines/deno-kv/engine.ts'
import type { Opener } from '../../engines/open.ts'
import type { Serve } from '../../http/request/base-path.ts'
import { EngineOpenError } from '../../jobs/engine.ts'
import { configuredApp } from '../configured.ts'
import { type Platform, readHostedConfig } from '../hosted.ts'
import { greeting, listenError, openLocal, stopOnSignal } from '../local.ts'
import { pinnedTransport } from '../pinned-transport.ts'
import { unavailable } from '../unavailable.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A request handler, and two ways of listening. */
export interface DenoServer {
  readonly fetch: Serve
  /** Listens on the address in the settings. */
  listen(): void
  /** Called when `deno serve` listens, on the address in its flags. */
  onListen(address: Deno.NetAddr): void
}

/** Address of the client, from Deno's connection info. */
const addressOf = (_request: Request, info: unknown) => {
  const { remoteAddr } = info as Deno.ServeHandlerInfo
  return 'hostname' in remoteAddr ? remoteAddr.hostname : undefined
}

const denoKv: Opener = { form: 'deno-kv:PATH', open: (place, { limits }) => DenoKvEngine.open(place, { limits }) }

const deploy: Platform = {
  name: 'Deno Deploy',
  engine: 'deno-kv:',
  howToSetSecret: 'Make one with "openssl rand -hex 32", and add it to the environment variables of the app.',
}

/** Delay before listening again after running out of file descriptors: milliseconds. */
const LISTEN_AGAIN_MS = 250

/** Opens a self-hosted server. */
export async function openOwn(environment: Environment): Promise<DenoServer> {
  const local = await openLocal(environment, { engines: { 'deno-kv': denoKv }, addressOf, upgradeWebSocket })
  const { serve: fetch, hostname, config } = local
  let server: Deno.HttpServer | undefined
  let isStopping = false
  stopOnSignal(local, async () => {
    isStopping = true
    await server?.shutdown()
  })

  /** Listens, and again after Deno stopped: it does so (2.9.5) when it is out of file descriptors; open connections stay open. */
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
      console.error(`Listening stopped; trying again: ${error.message}`)
      listenAgain(listened)
    })
  }

  function listenAgain(port: number): void {
    setTimeout(() => {
      if (isStopping) return
      try {
        listenAt(port, () => {})
      } catch {
        // Listening needs a descriptor too.
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
          'Without MILEPOST_SECRET the server may listen on this machine only: set it, or add --host 127.0.0.1.',
        )
      }
      console.log(greeting({ ...local, hostname }, port))
    },
  }
}

/** Opens a server on Deno Deploy. Errors of the configuration become responses, because nobody reads the start-up output there. */
export async function openDeployed(environment: Environment): Promise<DenoServer> {
  const serverOf = (fetch: DenoServer['fetch']) => ({ fetch, listen: () => void Deno.serve(fetch), onListen: () => {} })
  try {
    const config = readHostedConfig(deploy, environment)
    const engine = await DenoKvEngine.open('', config)
    // Deploy routes by host name, so requests with a forged `Host` don't arrive here.
    const parts = { engine, hosts: ['*'], addressOf, upgradeWebSocket, webhookTransport: pinnedTransport }
    return serverOf(configuredApp(config, parts).serve)
  } catch (error) {
    if (!isForTheUser(error)) throw error
    return serverOf(() => unavailable(error.message))
  }
}

/** Whether the operator can fix the error: a setting, a store, or a permission, which Deno's message names. */
export function isForTheUser(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof EngineOpenError || error instanceof Deno.errors.NotCapable
}
