/** Milepost on Cloudflare Workers: environment → engine → app. */
import { createApp, type Milepost } from '../app.ts'
import { ConfigError, readConfig } from '../config.ts'
import { DurableObjectEngine } from '../engines/durable-object.ts'
import type { ObjectBindings } from '../engines/durable-object-calls.ts'
import { problems } from '../errors.ts'
import { assets } from '../generated/assets.ts'

export { JobObject } from '../engines/durable-object-job.ts'
export { OwnerObject } from '../engines/durable-object-owner.ts'

/** What `wrangler.jsonc` binds, as far as it does. The settings are there too, as text. */
export type Environment = Partial<ObjectBindings>

/** A request may have few connections open (six, by Cloudflare's limits): subscriptions leave one for what is read meanwhile. */
const SUBSCRIPTIONS_PER_STREAM = 5

/** @throws ConfigError for a binding or a setting that is missing, or that can't be used */
function open({ MILEPOST_JOBS, MILEPOST_OWNERS, ...environment }: Environment): Milepost {
  if (!MILEPOST_JOBS) throw missing('MILEPOST_JOBS', 'JobObject')
  if (!MILEPOST_OWNERS) throw missing('MILEPOST_OWNERS', 'OwnerObject')
  const settings = Object.entries(environment).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const config = readConfig({ MILEPOST_ENGINE: 'durable-object:', ...Object.fromEntries(settings) })
  if (config.engine !== 'durable-object:') {
    throw new ConfigError(
      `MILEPOST_ENGINE is "${config.engine}". On Workers jobs live in durable-object:, so leave it out.`,
    )
  }
  const { secret } = config
  if (!secret) {
    throw new ConfigError(
      'There is no MILEPOST_SECRET. Make one with "openssl rand -hex 32 | npx wrangler secret put MILEPOST_SECRET"; on this machine, set it in the environment or in .dev.vars.',
    )
  }
  const engine = new DurableObjectEngine({ MILEPOST_JOBS, MILEPOST_OWNERS }, config)
  const auth = { ...config, secret }
  return createApp({ ...config, engine, auth, assets, subscriptionsPerStream: SUBSCRIPTIONS_PER_STREAM })
}

function missing(binding: string, className: string): ConfigError {
  return new ConfigError(
    `There is no binding ${binding}. Add it to durable_objects.bindings in wrangler.jsonc, with the class ${className}, and deploy again.`,
  )
}

let app: Milepost | undefined

export default {
  fetch(request: Request, environment: Environment): Response | Promise<Response> {
    try {
      // Once for all requests of an isolate; what it is made of is known only with the first.
      app ??= open(environment)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      const problem = { type: 'about:blank', ...problems.unavailable(error.message) }
      const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
      return Response.json(problem, { status: problem.status, headers })
    }
    return app.fetch(request, environment)
  },
}
