/** The secret that a server generates when its operator sets none. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { randomId, systemRandom } from '../../shared/time/clock.ts'
import { SECRET_BYTES } from '../auth/auth.ts'
import { ConfigError } from '../config.ts'

/** Mode bits of group and others. */
const OTHERS = 0o077

/** Path of the generated secret: beside the store, if the store is a file. */
function secretFileOf(engine: string): string | undefined {
  const [, place = ''] = /^(?:sqlite|deno-kv):(.*)$/.exec(engine) ?? []
  return place === '' || place === ':memory:' || URL.canParse(place) ? undefined : `${place}.secret`
}

/**
 * Reads the generated secret. It is stored so that sessions survive a restart and the command line on the same machine can use it.
 *
 * @throws ConfigError when the file is too short or readable by others
 */
export async function readOwnSecret(engine: string): Promise<string | undefined> {
  const file = secretFileOf(engine)
  const secret = file && (await readFile(file, 'utf8').catch(() => undefined))?.trim()
  if (file === undefined || secret === undefined) return undefined
  if (secret.length < SECRET_BYTES) {
    throw new ConfigError(`${file} has no secret of ${SECRET_BYTES} bytes. Delete it: the server generates another.`)
  }
  // Someone else created the file or may know the secret.
  if (process.platform !== 'win32' && ((await stat(file)).mode & OTHERS) !== 0) {
    throw new ConfigError(`${file} can be read by others. Delete it: the server generates another.`)
  }
  return secret
}

/** Reads the generated secret, creating it if missing. `undefined` if it can't be stored. */
export async function keepOwnSecret(engine: string): Promise<string | undefined> {
  const file = secretFileOf(engine)
  if (file === undefined) return undefined
  // Readable by the server's user only. `wx` does not replace an existing file.
  await writeFile(file, `${makeSecret()}\n`, { mode: 0o600, flag: 'wx' }).catch(() => {})
  return readOwnSecret(engine)
}

/** A new random secret: 260 bits. */
export const makeSecret = (): string => randomId(systemRandom, 52)
