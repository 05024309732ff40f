/** Milepost on Bun: environment → engine → app. */
import { upgradeWebSocket, websocket } from 'hono/bun'
import { pauseWithoutDescriptors } from './bun/descriptors.ts'
import { endPingFloods } from './bun/pings.ts'
import { openBunStream } from './bun/stream.ts'
import { handleInTurns } from './bun/turns.ts'
import { greeting, type LocalServer, listenError, openLocal, stopOnSignal } from './local.ts'

/** Bun closes a connection that is idle for longer: seconds, 255 at most. Streams ping at least every 30 s. */
const IDLE_SECONDS = 255

/** Unread bytes of a WebSocket's answers from which it is closed. */
const UNREAD_BYTES = 1_048_576

/**
 * Serves until the process is asked to stop.
 *
 * @throws ConfigError for an invalid setting or a port in use; EngineOpenError for a store that can't be opened
 */
export async function serve(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const local = await openLocal(environment, {
    openStream: openBunStream,
    upgradeWebSocket,
    addressOf: (request, server) => (server as Bun.Server<undefined>).requestIP(request)?.address,
  })
  const server = listen(local)
  stopOnSignal(local, () => server.stop())
  pauseWithoutDescriptors()
  console.log(greeting(local, server.port ?? local.config.port))
}

function listen({ serve, config: { port, limits }, hostname }: LocalServer): Bun.Server<unknown> {
  try {
    // `development: false`, because the default error page shows sources. Bun 1.4 then shares the port with other processes by default.
    const options = { hostname, port, idleTimeout: IDLE_SECONDS, development: false, reusePort: false } as const
    // Our limits reject large bodies with a problem document; Bun's limit would reject them first, without a body.
    const maxRequestBodySize = Number.MAX_SAFE_INTEGER
    return Bun.serve({
      ...options,
      maxRequestBodySize,
      fetch: handleInTurns(serve),
      // Sends pings by itself. A client that does not read is disconnected.
      websocket: {
        ...websocket,
        // What has come of a frame is kept until the rest comes.
        maxPayloadLength: limits.bodyBytes,
        backpressureLimit: UNREAD_BYTES,
        closeOnBackpressureLimit: true,
        ping: endPingFloods(),
      },
    })
  } catch (error) {
    throw listenError(error, hostname, port)
  }
}
