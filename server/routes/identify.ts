import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Grant, Principal } from '../access.ts'
import type { Auth } from '../auth.ts'
import { problems, refuse } from '../errors.ts'

export const SESSION_COOKIE = 'milepost_session'

const BEARER = 'Bearer '

/** Where a watch token may stand in the URL: EventSource can't send headers. */
const TAKES_URL_TOKENS = /\/api\/(jobs\/[^/]+(\/progress)?|progress)$/

/**
 * Who a request speaks for.
 *
 * @throws ProblemError 401 without valid credentials; 422 for too many tokens; 403 for a cookie on a request that another site may have made
 */
export async function identify(c: Context, auth: Auth): Promise<Principal> {
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  const urlTokens = isRead && TAKES_URL_TOKENS.test(c.req.path) ? c.req.queries('token') : undefined
  if (urlTokens) return jobTokens(auth, urlTokens)
  const authorization = c.req.header('authorization')
  if (authorization !== undefined) {
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
    if (!token) throw refuse(problems.unauthenticated())
    return auth.bearer(token)
  }
  const session = getCookie(c, SESSION_COOKIE)
  if (!session) throw refuse(problems.unauthenticated())
  if (!isRead && !isSameOrigin(c.req.raw)) {
    throw refuse(problems.forbidden('A signed-in browser may change something only from our own pages.'))
  }
  return auth.session(session)
}

/** Who a request speaks for, when its access token was verified before: what {@link identify} answers, without a turn of waiting. */
export function rememberedOf(c: Context, auth: Auth): Principal | undefined {
  const authorization = c.req.header('authorization')
  return authorization?.startsWith(BEARER) ? auth.remembered(authorization.slice(BEARER.length)) : undefined
}

/** As many as a stream may name jobs: each is verified. */
const MOST_TOKENS = 100

async function jobTokens(auth: Auth, tokens: string[]): Promise<Principal> {
  if (tokens.length > MOST_TOKENS) {
    throw refuse(problems.invalid([{ field: 'token', detail: `may be given at most ${MOST_TOKENS} times` }]))
  }
  const grants: Grant[] = []
  let sub = ''
  for (const token of tokens) {
    const { sub: giver, grant } = await auth.jobToken(token)
    sub ||= giver
    grants.push(grant)
  }
  return { sub, scopes: [], jobs: grants }
}

/** Whether a browser sent a request from a page of ours: a form or a script of another site sends our cookie along. */
function isSameOrigin({ headers, url }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin' || site === 'none'
  const origin = headers.get('origin')
  // The host alone: a proxy in front may have taken off the TLS.
  return origin !== null && URL.canParse(origin) && new URL(origin).host === (headers.get('host') ?? new URL(url).host)
}
