import { type Config, ConfigError, readConfig } from '../config.ts'
import { readOwnSecret } from '../entries/own-secret.ts'
import { withSecrets } from '../entries/read-secret.ts'

/** The settings of a server, with a secret that it accepts. */
export type ServerSettings = Omit<Config, 'secret'> & { secret: string }

/**
 * Reads the settings of the server on this machine. The secret is the first of `MILEPOST_SECRET`, or the generated one beside its store.
 *
 * @throws ConfigError without a secret, and for an invalid setting
 */
export async function settingsOf(env: Readonly<Record<string, string | undefined>>): Promise<ServerSettings> {
  const config = readConfig(await withSecrets(env))
  const secret = config.secret?.[0] ?? (await readOwnSecret(config.engine))
  if (secret !== undefined) return { ...config, secret }
  throw new ConfigError(
    `Set MILEPOST_SECRET or MILEPOST_SECRET_FILE to the secret of the server. There is no generated secret beside its store, ${config.engine}.`,
  )
}
