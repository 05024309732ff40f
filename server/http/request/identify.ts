import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Grant, Principal } from '../../auth/access.ts'
import type { Auth } from '../../auth/auth.ts'
import type { CheckedAuthenticate } from '../../auth/authenticate.ts'
import { problems, refuse } from '../../errors.ts'
import { type Env, linkTo } from './context.ts'
import type { Front } from './front.ts'

/** Dependencies of {@link identify}. */
interface Identifying {
  auth: Auth
  front: Front
  /** The app's own sessions, if any. */
  authenticate?: CheckedAuthenticate | undefined
}

/**
 * The name of a cookie. Over TLS it has a prefix (RFC 6265bis, 4.1.3): a browser then refuses the cookie from a page without TLS
 * and, with `__Host-`, from another host of the same domain.
 */
export function cookieNamed(name: string, c: Context, front: Front): { name: string; secure: boolean } {
  const secure = front.isSecure(c.req.raw, c.env)
  const prefix = linkTo(c, '/') === '/' ? '__Host-' : '__Secure-'
  return { name: `${secure ? prefix : ''}${name}`, secure }
}

/** The session cookie. */
export const sessionCookie = (c: Context, front: Front) => cookieNamed('milepost_session', c, front)

const BEARER = 'Bearer '

/** Whether this server issued a token. The app's `authenticate` is not called for it. */
const isOurs = (token: string | undefined) => token?.startsWith('mpst_') === true

/** Routes that accept watch tokens in the URL, because EventSource can't send headers. */
const URL_TOKEN_PATHS = /\/api\/(jobs\/[^/]+(\/progress)?|progress)$/

/** The route of WebSockets, on which events are published. */
const SOCKET_PATH = /\/api\/report$/

/**
 * Authenticates a request, and sets its `principal`.
 *
 * @throws ProblemError 401 without valid credentials; 422 for too many tokens; 403 for a cross-site request with a cookie
 */
export async function identify(c: Context<Env>, by: Identifying): Promise<Principal> {
  const principal = await principalOf(c, by)
  c.set('principal', principal)
  return principal
}

/** Like {@link identify}, but synchronous; `undefined` unless the token of the request is cached. */
export function identifyCached(c: Context<Env>, auth: Auth): Principal | undefined {
  const principal = rememberedPrincipal(c.req.header('authorization'), auth)
  if (principal) c.set('principal', principal)
  return principal
}

/** The principal of a bearer token in an `Authorization` header; `undefined` unless the token is cached. */
export function rememberedPrincipal(authorization: string | null | undefined, auth: Auth): Principal | undefined {
  return authorization?.startsWith(BEARER) ? auth.remembered(authorization.slice(BEARER.length)) : undefined
}

async function principalOf(c: Context, { auth, front, authenticate }: Identifying): Promise<Principal> {
  // Browsers let pages of any site open a WebSocket, with our cookie, and apply no CORS to it.
  const isRead = (c.req.method === 'GET' || c.req.method === 'HEAD') && !SOCKET_PATH.test(c.req.path)
  const urlTokens = isRead && URL_TOKEN_PATHS.test(c.req.path) ? c.req.queries('token') : undefined
  if (urlTokens) return jobTokens(auth, urlTokens)
  const authorization = c.req.header('authorization')
  const token = authorization === undefined ? undefined : /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
  if (authenticate && !isOurs(token)) {
    const principal = await authenticate(c.req.raw, front.peerOf(c.req.raw, c.env))
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

/** Most tokens per request, one for each job that a stream may name. */
const MAX_TOKENS = 100

async function jobTokens(auth: Auth, tokens: string[]): Promise<Principal> {
  if (tokens.length > MAX_TOKENS) {
    throw refuse(problems.invalid([{ field: 'token', detail: `may be given at most ${MAX_TOKENS} times` }]))
  }
  const grants: Grant[] = []
  let first: Awaited<ReturnType<Auth['jobToken']>> | undefined
  for (const token of tokens) {
    const verified = await auth.jobToken(token)
    first ??= verified
    // A request is in one tenant.
    if (verified.tenant !== first.tenant) {
      throw refuse(problems.invalid([{ field: 'token', detail: 'must all be of one tenant' }]))
    }
    grants.push(verified.grant)
  }
  return { sub: first?.sub ?? '', tenant: first?.tenant, scopes: [], jobs: grants }
}

/** Refuses a cross-site request. @throws ProblemError 403 */
export function requireOurPage(c: Context, front: Front): void {
  if (front.isFromOurPages(c.req.raw, c.env)) return
  throw refuse(problems.forbidden('Cross-site request refused.'))
}
