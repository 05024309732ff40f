/** The secret of a server whose operator set none. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { randomId, systemRandom } from '../../shared/time/clock.ts'
import { SECRET_BYTES } from '../auth/auth.ts'
import { ConfigError } from '../config.ts'

/** The bits of a mode for everyone but the owner. */
const OTHERS = 0o077

/** Where a server keeps the secret that it made: beside its store, if that is a file. */
export function secretFileOf(engine: string): string | undefined {
  const [, place = ''] = /^(?:sqlite|deno-kv):(.*)$/.exec(engine) ?? []
  return place === '' || place === ':memory:' || URL.canParse(place) ? undefined : `${place}.secret`
}

/**
 * The secret that a server keeps beside its store: for its next start, so that sessions last, and for the command line on the same machine.
 *
 * @throws ConfigError when something else stands there, or others can read it
 */
export async function readOwnSecret(engine: string): Promise<string | undefined> {
  const file = secretFileOf(engine)
  const secret = file && (await readFile(file, 'utf8').catch(() => undefined))?.trim()
  if (file === undefined || secret === undefined) return undefined
  if (secret.length < SECRET_BYTES) {
    throw new ConfigError(`${file} holds no secret of ${SECRET_BYTES} bytes. Delete it: the server makes another.`)
  }
  // It was not made here, or is none any more: whoever knows it is anybody.
  if (process.platform !== 'win32' && ((await stat(file)).mode & OTHERS) !== 0) {
    throw new ConfigError(`${file} can be read by others. Delete it: the server makes another.`)
  }
  return secret
}

/** The same, made if there is none yet. Where nothing can be kept, `undefined`. */
export async function keepOwnSecret(engine: string): Promise<string | undefined> {
  const file = secretFileOf(engine)
  if (file === undefined) return undefined
  // Nobody but the server's own user may read it. One that is there already stays.
  await writeFile(file, `${makeSecret()}\n`, { mode: 0o600, flag: 'wx' }).catch(() => {})
  return readOwnSecret(engine)
}

export const makeSecret = (): string => randomId(systemRandom, 52)
