import { type Config, ConfigError, readConfig } from '../config.ts'
import { readOwnSecret } from '../entries/own-secret.ts'
import { readSecret } from '../entries/read-secret.ts'

/** The settings of a server, and a secret that it verifies with. */
export type ServerSettings = Omit<Config, 'secret'> & { secret: string }

/**
 * The settings of the server on this machine, and the secret that it signs with: the first of `MILEPOST_SECRET`, or the one that it made itself
 * and keeps beside its store.
 *
 * @throws ConfigError when there is none, and for a setting that can't be used
 */
export async function settingsOf(env: Readonly<Record<string, string | undefined>>): Promise<ServerSettings> {
  const MILEPOST_SECRET = await readSecret(env, 'MILEPOST_SECRET')
  const config = readConfig({ ...env, MILEPOST_SECRET, MILEPOST_SECRET_FILE: undefined })
  const secret = config.secret?.[0] ?? (await readOwnSecret(config.engine))
  if (secret !== undefined) return { ...config, secret }
  throw new ConfigError(
    `Set MILEPOST_SECRET or MILEPOST_SECRET_FILE to the secret of the server. There is no file with one beside its store, ${config.engine}.`,
  )
}
