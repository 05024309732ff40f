import { type Config, ConfigError, readConfig } from '../config.ts'
import { problems } from '../errors.ts'

/** A platform that runs the code for its owner. */
export interface Platform {
  name: string
  /** The only engine there. */
  engine: string
  /** How to make a secret and set it there, in a sentence. */
  howToSetSecret: string
}

/**
 * The configuration where nobody could click a link that is printed, so that a secret has to be set.
 *
 * @throws ConfigError for a setting that is missing, or that can't be used
 */
export function readHostedConfig(
  { name, engine, howToSetSecret }: Platform,
  environment: Readonly<Record<string, string | undefined>>,
): Config & { secret: string[] } {
  const config = readConfig({ ...environment, MILEPOST_ENGINE: environment.MILEPOST_ENGINE ?? engine })
  if (config.engine !== engine) {
    throw new ConfigError(`MILEPOST_ENGINE is "${config.engine}". On ${name} jobs live in ${engine}, so leave it out.`)
  }
  const { secret } = config
  if (!secret) throw new ConfigError(`There is no MILEPOST_SECRET. ${howToSetSecret}`)
  return { ...config, secret }
}

/** The answer to every request while something is missing: what it is, and how to add it. */
export function notConfigured({ message }: Error): Response {
  const problem = problems.unavailable(message)
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  return Response.json(problem, { status: problem.status, headers })
}
