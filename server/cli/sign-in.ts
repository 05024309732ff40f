import { parseArgs } from 'node:util'
import { sign } from 'hono/jwt'
import { readJson, readProblem } from '../../shared/answers.ts'
import type { CreateSignInLink } from '../../shared/api.ts'
import { ConfigError } from '../config.ts'
import { operator } from '../entries/operator.ts'
import { refuseSecret } from './flags.ts'
import { reasonOf } from './remote-jobs.ts'
import { settingsOf } from './settings.ts'

const usage = `milepost sign-in [--sub NAME] [--job ID] [--url http://localhost:8787/]

Prints a link to a running server that signs a person in, once, within ten minutes: NAME, who may see and control the jobs of NAME, or,
without --sub, the operator, as the link that the server printed when it started. With --job it leads to the page of that job.

The request is signed with the first MILEPOST_SECRET, which may be in a file, or with the secret that a server without one keeps beside its store.`

/** How long the answer is waited for: milliseconds; and the token of the request holds: seconds. */
const REQUEST_MS = 30_000
const TOKEN_SECONDS = 60

/** A link that signs in, made by a server that runs. @throws ConfigError when it can't be had */
export async function createSignInLink(
  args: string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  refuseSecret(args, 'secret', 'Set MILEPOST_SECRET or MILEPOST_SECRET_FILE instead.')
  const { values } = parseArgs({
    args,
    options: {
      sub: { type: 'string', default: operator.sub },
      job: { type: 'string' },
      url: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return usage
  const { port, basePath, issuer, audience, secret } = await settingsOf(env)
  const url = values.url ?? `http://localhost:${port}${basePath}/`
  if (!URL.canParse(url)) throw new ConfigError(`"${url}" is not a URL. Try http://localhost:8787/.`)
  const now = Math.floor(Date.now() / 1_000)
  const claims = {
    sub: operator.sub,
    scope: operator.scopes.join(' '),
    iat: now,
    exp: now + TOKEN_SECONDS,
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
  }
  const token = await sign(claims, secret, 'HS256')
  return ask(new URL('api/sign-in-links', url.endsWith('/') ? url : `${url}/`), token, {
    sub: values.sub,
    job: values.job,
  })
}

async function ask(url: URL, token: string, body: CreateSignInLink): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(REQUEST_MS)
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal }).catch(
    () => undefined,
  )
  if (!answer) throw new ConfigError(`${url.href} does not answer. Is the server running?`)
  const { url: link } = answer.status === 201 ? Object(await readJson(answer)) : {}
  if (typeof link === 'string') return new URL(link, url).href
  if (answer.status === 401)
    throw new ConfigError(`${url.href} does not know this secret. Set MILEPOST_SECRET to what the server has.`)
  throw new ConfigError(`${url.href} makes no link. ${reasonOf(answer, await readProblem(answer))}`)
}
