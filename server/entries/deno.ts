/**
 * Milepost on Deno: environment → engine → app. For `deno run`, `deno serve` and Deno Deploy.
 *
 * With the argument `serve` this module listens, never `deno serve`.
 */
import { variables } from '../config.ts'
import { type DenoServer, isForTheUser, openDeployed, openOwn } from './deno/servers.ts'

async function open(): Promise<DenoServer> {
  // Read one by one: `Deno.env.toObject` would need permission for all variables.
  const names = [...variables, 'DENO_DEPLOYMENT_ID']
  const environment = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]))
  // Deno (2.9.5) parses a form synchronously, about 10 ms per megabyte, which blocks the event loop.
  // An empty value counts as unset.
  environment.MILEPOST_UPLOAD_BYTES ||= `${4 * 1024 * 1024}`
  return environment.DENO_DEPLOYMENT_ID ? await openDeployed(environment) : await openOwn(environment)
}

/** Prints an error that the operator can fix, and exits. Throws any other. */
function end(error: unknown): never {
  if (!isForTheUser(error)) throw error
  const hint = error instanceof Deno.errors.NotCapable ? '. "deno task start" grants all permissions needed.' : ''
  console.error(error.message + hint)
  Deno.exit(1)
}

function listen(start: () => void): void {
  isListening = true
  try {
    start()
  } catch (error) {
    end(error)
  }
}

let isListening = false
const server = await open().catch(end)

// After this module has run, `deno serve` listens by itself; on `deno run` and Deno Deploy the module has to.
setTimeout(() => {
  if (!isListening) listen(() => server.listen())
}, 0)

const forDenoServe: Deno.ServeDefaultExport = {
  fetch: (request, info) => server.fetch(request, info),
  onListen: (address) => listen(() => server.onListen(address as Deno.NetAddr)),
}

/** No default export when `serve` is an argument: `deno run` would warn that it is meant for `deno serve`. */
export default Deno.args.includes('serve') ? undefined : forDenoServe
