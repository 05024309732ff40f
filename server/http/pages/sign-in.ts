import type { Context, MiddlewareHandler } from 'hono'
import { deleteCookie, getCookie, getSignedCookie, setCookie, setSignedCookie } from 'hono/cookie'
import { html } from 'hono/html'
import { isAnyJobId } from '../../../shared/document/job.ts'
import { fullName, type Principal } from '../../auth/access.ts'
import type { SignInAttempt } from '../../auth/oidc.ts'
import { ProblemError, problems, refuse } from '../../errors.ts'
import { recordAct, recordFailedSignIn } from '../audit.ts'
import { atMost, lengthOf, readBytes, requireType, textOf } from '../body/validation.ts'
import { type App, absoluteLinkTo, type Env, linkTo, type RouteContext } from '../request/context.ts'
import { cookieNamed, requireOurPage, sessionCookie } from '../request/identify.ts'
import { traceOf, traceparentOf } from '../request/trace.ts'
import { forPages, htmlPage } from './html.ts'

const PROVIDER_FAILED = 'That did not work. Try again, or ask the operator of this server.'

/** How long a person may take at the provider: seconds. */
const ATTEMPT_SECONDS = 600
const CALLBACK = '/sign-in/callback'
/** Bytes of the form with an access token, and of the token: more than servers accept in a header. */
const FORM_BYTES = 16_384
const TOKEN_BYTES = 8_192

/** The routes that sign people in and out of the dashboard. */
export function signInPageRoutes(app: App, context: RouteContext): void {
  const { auth, clock, front, oidc, onError, random, rates, secret, sessions, signIns } = context

  const signIn = async (
    c: Context<Env>,
    principal: Principal,
    by: 'link' | 'provider' | 'token',
    job: string | undefined,
  ): Promise<Response> => {
    const { cookie, seconds, id: session } = await sessions.create(principal)
    recordAct(c, context, { action: 'sign-in', sub: fullName(principal), by, session })
    const { name, secure } = sessionCookie(c, front)
    const path = linkTo(c, '/')
    setCookie(c, name, cookie, { path, httpOnly: true, sameSite: 'Lax', secure, maxAge: seconds })
    return c.redirect(job === undefined ? path : linkTo(c, `/jobs/${job}`), 303)
  }

  app.get('/sign-in', forPages, async (c) => {
    // Link previews send HEAD requests, which must not use up the code.
    if (c.req.method === 'HEAD') return c.body(null, 200)
    rates.takeStranger(front.addressOf(c.req.raw, c.env))
    const code = c.req.query('code') ?? ''
    const signedIn = await signIns.redeem(code)
    c.header('cache-control', 'no-store')
    if (!signedIn) {
      if (code !== '') recordFailedSignIn(c, context, 'The sign-in link is unknown, expired or used.')
      const failure = code === '' ? undefined : 'This link was used, or is older than ten minutes. Get another.'
      return c.html(signInPage(linkTo(c, '/'), context, undefined, failure), 401)
    }
    return signIn(c, signedIn.principal, 'link', signedIn.job)
  })

  const countedFromOurPages: MiddlewareHandler = async (c, next) => {
    // A form of another site must not sign anyone in as somebody else.
    requireOurPage(c, front)
    rates.takeStranger(front.addressOf(c.req.raw, c.env))
    await next()
  }

  app.post('/sign-in', forPages, countedFromOurPages, atMost(FORM_BYTES, clock), async (c) => {
    c.header('cache-control', 'no-store')
    requireType(c, ['application/x-www-form-urlencoded'])
    const form = new URLSearchParams(textOf(await readBytes(c, lengthOf(c), clock)))
    const job = form.get('job') ?? undefined
    let principal: Principal
    try {
      principal = await auth.bearer(form.get('token')?.trim() ?? '')
      if (principal.jobs) throw refuse(problems.unauthenticated('A token of one job signs nobody in.'))
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.status !== 401) throw error
      const { detail } = error.problem
      recordFailedSignIn(c, context, detail)
      return c.html(signInPage(linkTo(c, '/'), context, job, detail), 401)
    }
    return signIn(c, principal, 'token', job !== undefined && isAnyJobId(job) ? job : undefined)
  })

  app.post('/sign-out', forPages, async (c) => {
    // A form of another site must not sign anyone out.
    requireOurPage(c, front)
    const base = linkTo(c, '/')
    const { name, secure } = sessionCookie(c, front)
    const cookie = getCookie(c, name) ?? ''
    const principal = await sessions.principalOf(cookie)
    await sessions.endOf(cookie)
    if (principal?.session !== undefined) {
      recordAct(c, context, { action: 'sign-out', sub: fullName(principal), session: principal.session })
    }
    setCookie(c, name, '', { path: base, httpOnly: true, sameSite: 'Lax', secure, maxAge: 0 })
    return c.redirect(base, 303)
  })

  if (!oidc) return
  const traceparent = (c: Context<Env>) => {
    const trace = traceOf(c, random)
    return trace && traceparentOf(trace)
  }
  // Another purpose than that of tokens, so another key.
  const key = `sign-in attempt ${secret}`

  const failed = (c: Context<Env>, error: unknown): Response | Promise<Response> => {
    recordFailedSignIn(c, context, `Sign-in by ${oidc.host} failed: the server log says why.`)
    onError(`Sign-in by ${oidc.host} failed: ${error instanceof Error ? error.message : error}`)
    return c.html(signInPage(linkTo(c, '/'), context, undefined, PROVIDER_FAILED), 401)
  }

  app.get('/sign-in/provider', forPages, async (c) => {
    if (c.req.method === 'HEAD') return c.body(null, 200)
    rates.takeStranger(front.addressOf(c.req.raw, c.env))
    c.header('cache-control', 'no-store')
    const job = c.req.query('job')
    let begun: Awaited<ReturnType<typeof oidc.begin>>
    try {
      const wanted = job !== undefined && isAnyJobId(job) ? job : undefined
      begun = await oidc.begin(redirectUri(c), wanted, traceparent(c))
    } catch (error) {
      return failed(c, error)
    }
    const { name, secure } = cookieNamed('milepost_sign_in', c, front)
    const options = {
      path: linkTo(c, '/'),
      httpOnly: true,
      sameSite: 'Lax',
      secure,
      maxAge: ATTEMPT_SECONDS,
    } as const
    await setSignedCookie(c, name, JSON.stringify(begun.attempt), key, options)
    return c.redirect(begun.url, 303)
  })

  app.get(CALLBACK, forPages, async (c) => {
    if (c.req.method === 'HEAD') return c.body(null, 200)
    rates.takeStranger(front.addressOf(c.req.raw, c.env))
    c.header('cache-control', 'no-store')
    const { name, secure } = cookieNamed('milepost_sign_in', c, front)
    const kept = await getSignedCookie(c, key, name)
    deleteCookie(c, name, { path: linkTo(c, '/'), secure })
    let attempt: SignInAttempt
    let principal: Principal
    try {
      if (!kept) throw new Error('the browser has no cookie of a sign-in that began in the last ten minutes')
      attempt = JSON.parse(kept) as SignInAttempt
      const callback = new URL(redirectUri(c))
      callback.search = new URL(c.req.url).search
      principal = await oidc.end(callback, redirectUri(c), attempt, traceparent(c))
    } catch (error) {
      return failed(c, error)
    }
    return signIn(c, principal, 'provider', attempt.job)
  })

  /** @throws Error when the public origin is unknown: the provider accepts only the URL that was registered with it */
  function redirectUri(c: Context): string {
    const url = absoluteLinkTo(c, front, CALLBACK)
    if (!URL.canParse(url)) throw new Error('the public URL of this server is unknown; set MILEPOST_PUBLIC_URL')
    return url
  }
}

/**
 * The page for people who are not signed in.
 *
 * @param job whose page they asked for
 * @param failed why they have just not been signed in
 */
export function signInPage(base: string, { oidc }: Pick<RouteContext, 'oidc'>, job?: string, failed?: string) {
  const query = job !== undefined && isAnyJobId(job) ? `?job=${encodeURIComponent(job)}` : ''
  const byProvider =
    oidc && html`<p><a class="button primary" href="sign-in/provider${query}">Sign in with ${oidc.host}</a></p>`
  const failure = failed === undefined ? '' : html`<p role="alert">${failed}</p>`
  const wanted = query === '' ? '' : html`<input type="hidden" name="job" value="${job}">`
  return htmlPage(
    base,
    'Sign in – Milepost',
    html`</head><body><main class="sign-in"><h1>Sign in</h1>${failure}${byProvider ?? ''}
<p>${oidc ? 'Or open' : 'Open'} a sign-in link. Each works once, for ten minutes. The server prints one when it starts; its operator gets
another with <code>milepost sign-in</code>, and one for you with <code>milepost sign-in --sub NAME</code>.</p>
<form method="post" action="sign-in">${wanted}<label for="token">Or paste an access token.</label>
<span><input id="token" name="token" type="password" autocomplete="off" maxlength="${TOKEN_BYTES}" required><button>Sign in</button></span></form>
<p><a href="docs">Documentation</a></p></main></body>`,
  )
}
