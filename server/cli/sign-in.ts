import { parseArgs } from 'node:util'
import { readJson, readProblem } from '../../shared/wire/answers.ts'
import type { CreateSignInLink } from '../../shared/wire/api.ts'
import type { Scope } from '../auth/access.ts'
import { operator } from '../auth/access.ts'
import { SESSION_SECONDS } from '../auth/sessions.ts'
import { SIGN_IN_SECONDS } from '../auth/sign-in-codes.ts'
import { ConfigError } from '../config.ts'
import { signAccessToken } from './access-token.ts'
import { refuseSecret, serverUrl } from './flags.ts'
import { refusalReason } from './remote-jobs.ts'
import { settingsOf } from './settings.ts'

const usage = `milepost sign-in [--sub NAME] [--tenant TENANT] [--admin] [--job ID] [--url http://localhost:8787/]

Prints a link to a running server that signs NAME in. The link works once, within ten minutes. Without --sub NAME is "local", as in the link that
the server prints when it starts. NAME sees and controls its own jobs; with --admin, everyone's, or with --tenant those of everyone in its tenant. With --job the link opens the
page of that job.

The request is signed with the first MILEPOST_SECRET (or MILEPOST_SECRET_FILE), or with the secret that the server generated beside its store.`

/** Time-out of the request: milliseconds. */
const REQUEST_MS = 30_000

/** Asks a running server for a sign-in link. @returns the link. @throws ConfigError for invalid arguments, or when the server gives none */
export async function createSignInLink(
  args: string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  refuseSecret(args, 'secret', 'Set MILEPOST_SECRET or MILEPOST_SECRET_FILE instead.')
  const { values } = parseArgs({
    args,
    options: {
      sub: { type: 'string', default: operator.sub },
      tenant: { type: 'string' },
      admin: { type: 'boolean', default: false },
      job: { type: 'string' },
      url: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return usage
  const given =
    values.url === undefined
      ? undefined
      : serverUrl(values.url, 'Leave them out: the request is signed with MILEPOST_SECRET.')
  const settings = await settingsOf(env)
  const { port, basePath } = settings
  const href = given?.href ?? `http://localhost:${port}${basePath}/`
  // A session ends no later than the token that requested its link, so the token has to last as long.
  const seconds = Math.min(SESSION_SECONDS + SIGN_IN_SECONDS, settings.tokenSeconds)
  const token = await signAccessToken(settings, { sub: operator.sub, scope: 'jobs:admin' satisfies Scope, seconds })
  return ask(new URL('api/sign-in-links', href), token, {
    sub: values.sub,
    tenant: values.tenant,
    job: values.job,
    admin: values.admin,
  })
}

async function ask(url: URL, token: string, body: CreateSignInLink): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(REQUEST_MS)
  const request: RequestInit = { method: 'POST', headers, body: JSON.stringify(body), redirect: 'manual', signal }
  const answer = await fetch(url, request).catch(() => undefined)
  if (!answer) throw new ConfigError(`${url.href} does not answer. Is the server running?`)
  const { url: link } = answer.status === 201 ? Object(await readJson(answer)) : {}
  if (typeof link === 'string') return new URL(link, url).href
  if (answer.status === 401)
    throw new ConfigError(`${url.href} refuses this secret. Set MILEPOST_SECRET to the server's.`)
  throw new ConfigError(`${url.href} gave no link. ${refusalReason(answer, await readProblem(answer), url)}`)
}
