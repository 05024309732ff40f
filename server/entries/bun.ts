/** Milepost on Bun: environment → engine → app. */
import { restWithoutDescriptors } from './bun-descriptors.ts'
import { openBunStream } from './bun-stream.ts'
import { greeting, type LocalServer, listenError, openLocal, stopOnSignal } from './local.ts'

/** Bun closes a connection that is silent for longer: seconds, 255 at most. Streams ping every 30. */
const IDLE_SECONDS = 255

/**
 * Serves until the process is asked to stop.
 *
 * @throws ConfigError for a setting that can't be used or a port that is taken; EngineOpenError for a store that can't be opened
 */
export async function serve(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const local = await openLocal(environment, {
    openStream: openBunStream,
    addressOf: (request, server) => (server as Bun.Server<undefined>).requestIP(request)?.address,
  })
  const server = listen(local)
  stopOnSignal(local, () => server.stop())
  restWithoutDescriptors()
  console.log(greeting(local, server.port ?? local.config.port))
}

function listen({ serve, config: { port }, hostname }: LocalServer): Bun.Server<undefined> {
  try {
    // `development: false`: the default error page shows sources. But then Bun 1.4 shares ports with other processes, unless told not to.
    const options = { hostname, port, idleTimeout: IDLE_SECONDS, development: false, reusePort: false } as const
    // Our own limits say what is too large; Bun's would come before them, and answer without a word.
    const maxRequestBodySize = Number.MAX_SAFE_INTEGER
    return Bun.serve({ ...options, maxRequestBodySize, fetch: serve })
  } catch (error) {
    throw listenError(error, hostname, port)
  }
}
