import { type Config, ConfigError, readConfig } from '../config.ts'

/** A hosting platform. */
export interface Platform {
  name: string
  /** The only engine available there. */
  engine: string
  /** A sentence for the operator: how to create a secret and set it there. */
  howToSetSecret: string
}

/**
 * Reads the configuration on a platform. The secret is required: nobody reads a printed sign-in link there.
 *
 * @throws ConfigError for a missing or invalid setting
 */
export function readHostedConfig(
  { name, engine, howToSetSecret }: Platform,
  environment: Readonly<Record<string, string | undefined>>,
): Config & { secret: string[] } {
  const config = readConfig({ ...environment, MILEPOST_ENGINE: environment.MILEPOST_ENGINE ?? engine })
  if (config.engine !== engine) {
    throw new ConfigError(`MILEPOST_ENGINE is "${config.engine}". ${name} supports only ${engine}, so unset it.`)
  }
  const { secret } = config
  if (!secret) throw new ConfigError(`There is no MILEPOST_SECRET. ${howToSetSecret}`)
  return { ...config, secret }
}
