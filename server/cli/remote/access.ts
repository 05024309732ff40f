import type { GetToken } from '../../../client/connection/access/token-source.ts'
import { readJson, readProblem } from '../../../shared/wire/answers.ts'
import { operator, type Scope } from '../../auth/access.ts'
import { ConfigError } from '../../config.ts'
import { readSecret } from '../../entries/read-secret.ts'
import { signAccessToken } from '../access-token.ts'
import { refuseSecret, serverUrl } from '../flags.ts'
import { refusalReason } from '../remote-jobs.ts'
import { settingsOf } from '../settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The flags that say which server, and with which token. */
export const accessFlags = { url: { type: 'string' }, 'token-file': { type: 'string' } } as const

/** The part of a usage that explains them. */
export const accessUsage = `The server is --url, or MILEPOST_URL; the token is in MILEPOST_TOKEN, or in the file that --token-file or MILEPOST_TOKEN_FILE names.
Without a token the request is signed with the secret of the server on this machine, as "milepost sign-in" does.`

/** A server, and a token for it. */
export interface RemoteServer {
  readonly url: URL
  readonly getToken: GetToken
}

/** How long a token lasts that is signed here; then the next is signed: seconds. */
const TOKEN_SECONDS = 3_600
/** Time-out of a request: milliseconds. */
const REQUEST_MS = 30_000

/** Finds the server and the token. @param scope of a token that is signed here. @throws ConfigError for missing or invalid settings */
export async function readAccess(
  flags: { url?: string | undefined; 'token-file'?: string | undefined },
  env: Environment,
  scope: string,
): Promise<RemoteServer> {
  const named = flags.url ?? (env.MILEPOST_URL?.trim() || undefined)
  const url = named === undefined ? undefined : serverUrl(named, 'Leave them out: the token belongs in MILEPOST_TOKEN.')
  const file = flags['token-file']
  const source = file === undefined ? env : { MILEPOST_TOKEN_FILE: file }
  // Read again for each token: whoever renews it replaces the file.
  const read = () => readSecret(source, 'MILEPOST_TOKEN')
  if ((await read()) !== undefined) {
    const getToken = async () => (await read()) ?? ''
    return { url: url ?? new URL('http://localhost:8787/'), getToken }
  }
  const settings = await settingsOf(env).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(
      `Set MILEPOST_TOKEN, or name a file that holds the token: --token-file FILE. (${error.message})`,
    )
  })
  const seconds = Math.min(TOKEN_SECONDS, settings.tokenSeconds)
  return {
    url: url ?? new URL(`http://localhost:${settings.port}${settings.basePath}/`),
    getToken: () => signAccessToken(settings, { sub: operator.sub, scope, seconds }),
  }
}

/** The scopes of a token that is signed here, to see and control everyone's jobs. */
export const everything = 'jobs:admin' satisfies Scope

/** Refuses a token among the arguments. @throws ConfigError */
export function refuseToken(args: readonly string[]): void {
  refuseSecret(args, 'token', 'Set MILEPOST_TOKEN, or name a file that holds it: --token-file FILE.')
}

/**
 * Sends a request to the API.
 *
 * @param path relative to the server's address
 * @param isOurs whether the body of a success is the server's
 * @throws ConfigError when the server does not answer, or refuses, with its reason
 */
export async function request<T>(
  { url, getToken }: RemoteServer,
  method: 'GET' | 'POST',
  path: string,
  isOurs: (body: unknown) => body is T,
): Promise<T> {
  const address = new URL(path, url)
  const headers = { authorization: `Bearer ${await getToken()}` }
  const signal = AbortSignal.timeout(REQUEST_MS)
  const answer = await fetch(address, { method, headers, redirect: 'manual', signal }).catch(() => undefined)
  if (!answer) throw new ConfigError(`${url.href} does not answer. Is the server running?`)
  const body = answer.ok ? await readJson(answer) : undefined
  if (isOurs(body)) return body
  throw new ConfigError(`${url.href}: ${refusalReason(answer, await readProblem(answer), address)}`)
}
