/** Milepost on Cloudflare Workers: environment → engine → app. */
import { ConfigError } from '../config.ts'
import type { ObjectBindings } from '../engines/durable-object/calls.ts'
import { DurableObjectEngine } from '../engines/durable-object/engine.ts'
import type { Serve } from '../http/base-path.ts'
import { configuredApp } from './configured.ts'
import { notConfigured, type Platform, readHostedConfig } from './hosted.ts'
import { openWorkerStream } from './worker-stream.ts'

export { JobObject } from '../engines/durable-object/job.ts'
export { OwnerObject } from '../engines/durable-object/owner.ts'

/** What `wrangler.jsonc` binds, as far as it does. The settings are there too, as text. */
type WorkerEnvironment = Partial<ObjectBindings>

/** A request may have few connections open (six, by Cloudflare's limits): subscriptions leave one for what is read meanwhile. */
const SUBSCRIPTIONS_PER_STREAM = 5

const platform: Platform = {
  name: 'Workers',
  engine: 'durable-object:',
  howToSetSecret:
    'Make one with "openssl rand -hex 32 | npx wrangler secret put MILEPOST_SECRET"; on this machine, set it in the environment or in .dev.vars.',
}

/** @throws ConfigError for a binding or a setting that is missing, or that can't be used */
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
    // Cloudflare routes by the host: a request with another name does not come here.
    hosts: ['*'],
    addressOf: ({ headers }) => headers.get('cf-connecting-ip') ?? undefined,
    openStream: openWorkerStream,
    subscriptionsPerStream: SUBSCRIPTIONS_PER_STREAM,
  }).serve
}

function missing(binding: string, className: string): ConfigError {
  return new ConfigError(
    `There is no binding ${binding}. Add it to durable_objects.bindings in wrangler.jsonc, with the class ${className}, and deploy again.`,
  )
}

let serve: Serve | undefined

export default {
  fetch(request: Request, environment: WorkerEnvironment, context?: ExecutionContext): Response | Promise<Response> {
    try {
      // Once for all requests of an isolate; what it is made of is known only with the first.
      serve ??= open(environment)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return notConfigured(error)
    }
    return serve(request, environment, context)
  },
}
