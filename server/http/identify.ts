import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Grant, Principal } from '../auth/access.ts'
import type { Auth } from '../auth/auth.ts'
import { problems, refuse } from '../errors.ts'
import { linkTo } from './context.ts'
import type { Front } from './front.ts'

/** What it takes to tell who a request speaks for. */
export interface Identifying {
  auth: Auth
  front: Front
  /** The app's own sessions, where it has some. */
  authenticate?: ((request: Request) => Promise<Principal | undefined>) | undefined
}

/**
 * The name of a dashboard's cookie. Over TLS it has a prefix (RFC 6265bis, 4.1.3): a browser takes such a cookie from nobody else, neither
 * from a page without TLS, nor, under the root, from another host of the same domain.
 */
export function sessionCookie(c: Context, front: Front): { name: string; secure: boolean } {
  const secure = front.isSecure(c.req.raw, c.env)
  const prefix = linkTo(c, '/') === '/' ? '__Host-' : '__Secure-'
  return { name: `${secure ? prefix : ''}milepost_session`, secure }
}

const BEARER = 'Bearer '

/** Whether this server made a token: the app has no say in it. */
const isOurs = (token: string | undefined) => token?.startsWith('mpst_') === true

/** Where a watch token may stand in the URL: EventSource can't send headers. */
const TAKES_URL_TOKENS = /\/api\/(jobs\/[^/]+(\/progress)?|progress)$/

/**
 * Who a request speaks for.
 *
 * @throws ProblemError 401 without valid credentials; 422 for too many tokens; 403 for a cookie on a request that another site may have made
 */
export async function identify(c: Context, { auth, front, authenticate }: Identifying): Promise<Principal> {
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  const urlTokens = isRead && TAKES_URL_TOKENS.test(c.req.path) ? c.req.queries('token') : undefined
  if (urlTokens) return jobTokens(auth, urlTokens)
  const authorization = c.req.header('authorization')
  const token = authorization === undefined ? undefined : /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
  if (authenticate && !isOurs(token)) {
    const principal = await authenticate(c.req.raw)
    // A browser adds cookies, certificates and passwords to the requests of other sites too, but no bearer token.
    if (principal && !isRead && token === undefined) requireOurPage(c, front)
    if (principal) return principal
  }
  if (authorization !== undefined) {
    if (!token) throw refuse(problems.unauthenticated())
    return auth.bearer(token)
  }
  const session = getCookie(c, sessionCookie(c, front).name)
  if (!session) throw refuse(problems.unauthenticated())
  if (!isRead) requireOurPage(c, front)
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

/** Lets a request pass that comes from a page of ours. @throws ProblemError 403 */
export function requireOurPage(c: Context, front: Front): void {
  if (front.isFromOurPages(c.req.raw, c.env)) return
  throw refuse(problems.forbidden('Cross-site request refused.'))
}
