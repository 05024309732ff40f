/** Milepost on Cloudflare Workers: environment → engine → app. */
import { ConfigError } from '../config.ts'
import type { ObjectBindings } from '../engines/durable-object/calls.ts'
import { DurableObjectEngine } from '../engines/durable-object/engine.ts'
import { workerTransport } from '../engines/durable-object/webhooks.ts'
import type { Serve } from '../http/request/base-path.ts'
import { configuredApp } from './configured.ts'
import { type Platform, readHostedConfig } from './hosted.ts'
import { unavailable } from './unavailable.ts'
import { readRest } from './worker/read-rest.ts'
import { upgradeWorkerSocket } from './worker/socket.ts'
import { openWorkerStream } from './worker/stream.ts'

export { JobObject } from '../engines/durable-object/job.ts'
export { OwnerObject } from '../engines/durable-object/owner.ts'

/** The bindings of `wrangler.jsonc`, any of which may be missing. Settings are in the same object, as strings. */
type WorkerEnvironment = Partial<ObjectBindings>

/** Cloudflare allows six open connections per request: five for subscriptions leave one for reads. */
const SUBSCRIPTIONS_PER_STREAM = 5

const platform: Platform = {
  name: 'Workers',
  engine: 'durable-object:',
  howToSetSecret:
    'Make one with "openssl rand -hex 32 | npx wrangler secret put MILEPOST_SECRET"; on this machine, set it in the environment or in .dev.vars.',
}

/** @throws ConfigError for a missing binding, or a missing or invalid setting */
function open({ MILEPOST_JOBS, MILEPOST_OWNERS, ...environment }: WorkerEnvironment): Serve {
  if (!MILEPOST_JOBS) throw missing('MILEPOST_JOBS', 'JobObject')
  if (!MILEPOST_OWNERS) throw missing('MILEPOST_OWNERS', 'OwnerObject')
  const settings = Object.entries(environment).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const config = readHostedConfig(platform, Object.fromEntries(settings))
  const engine = new DurableObjectEngine({ MILEPOST_JOBS, MILEPOST_OWNERS }, config)
  return configuredApp(config, {
    engine,
    // Cloudflare routes by host name, so requests with a forged `Host` don't arrive here.
    hosts: ['*'],
    addressOf: ({ headers }) => headers.get('cf-connecting-ip') ?? undefined,
    openStream: openWorkerStream,
    upgradeWebSocket: upgradeWorkerSocket,
    subscriptionsPerStream: SUBSCRIPTIONS_PER_STREAM,
    webhookTransport: workerTransport,
  }).serve
}

function missing(binding: string, className: string): ConfigError {
  return new ConfigError(
    `The binding ${binding} is missing. Add it to durable_objects.bindings in wrangler.jsonc, with the class ${className}, and deploy again.`,
  )
}

let serve: Serve | undefined

export default {
  async fetch(request: Request, environment: WorkerEnvironment, context?: ExecutionContext): Promise<Response> {
    try {
      // Once per isolate, on the first request: bindings are not available earlier.
      serve ??= open(environment)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return unavailable(error.message)
    }
    const response = await serve(request, environment, context)
    if (request.body) await readRest(request.body)
    return response
  },
}
