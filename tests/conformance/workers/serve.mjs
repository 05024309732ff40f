/**
 * Serves a Worker that was bundled: `node serve.mjs CONFIG SCRIPT STATE PORT VARIABLES`, the last as JSON. Prints where, once it does.
 *
 * Without the proxy that `wrangler dev` puts in front: that reuses connections which workerd closes at the same moment, after 5 s, and
 * answers the requests that are lost with a 503 (`templates/startDevWorker/ProxyWorker.ts` of wrangler 4.86).
 */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const require = createRequire(import.meta.url)
const { unstable_getMiniflareWorkerOptions } = require('wrangler')
// The one that wrangler brings.
const { Miniflare } = createRequire(require.resolve('wrangler'))('miniflare')

const [config, script, state, port, variables] = process.argv.slice(2)
const { workerOptions } = unstable_getMiniflareWorkerOptions(config)
const miniflare = new Miniflare({
  ...workerOptions,
  bindings: { ...workerOptions.bindings, ...JSON.parse(variables) },
  modules: [{ type: 'ESModule', path: script }],
  modulesRoot: dirname(script),
  host: '127.0.0.1',
  port: Number(port),
  durableObjectsPersist: state,
  // Otherwise it asks the network where it is.
  cf: false,
})
const { origin } = await miniflare.ready
console.log(`Ready on ${origin}`)
