/**
 * Milepost on Deno: environment → engine → app. For `deno run`, `deno serve` and Deno Deploy alike.
 *
 * With the argument `serve` it always listens by itself.
 */
import { variables } from '../config.ts'
import { type DenoServer, isForTheUser, openDeployed, openOwn } from './deno-servers.ts'

async function open(): Promise<DenoServer> {
  // One by one: to list them all would need more permissions.
  const names = [...variables, 'DENO_DEPLOYMENT_ID']
  const environment = Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]))
  // Deno (2.9.5) reads a form in one go, a megabyte in some 10 ms, in which nobody else is served.
  // An empty setting is none, as everywhere.
  environment.MILEPOST_UPLOAD_BYTES ||= `${4 * 1024 * 1024}`
  return environment.DENO_DEPLOYMENT_ID ? await openDeployed(environment) : await openOwn(environment)
}

/** Ends the process with a sentence, if there is one for the user. */
function end(error: unknown): never {
  if (!isForTheUser(error)) throw error
  const hint = error instanceof Deno.errors.NotCapable ? '. "deno task start" gives all that is needed.' : ''
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

// Once this module has run, `deno serve` listens at once, and `deno run` and Deno Deploy leave it to the module.
setTimeout(() => {
  if (!isListening) listen(() => server.listen())
}, 0)

const forDenoServe: Deno.ServeDefaultExport = {
  fetch: (request, info) => server.fetch(request, info),
  onListen: (address) => listen(() => server.onListen(address as Deno.NetAddr)),
}

/** `deno run` warns of an export that is only for `deno serve`. */
export default Deno.args.includes('serve') ? undefined : forDenoServe
