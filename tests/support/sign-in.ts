import type { SignInLink } from '../../shared/wire/api.ts'
import { ApiClient } from './api-client.ts'
import { accessToken } from './tokens.ts'

/** Headers of a browser. */
type Browser = Record<string, string>

/** A sign-in link: made by an administrator's browser, or else with a token. */
export async function signInLink(
  url: string,
  body: { sub: string; admin?: boolean },
  by: { browser: Browser } | { exp?: number } = {},
): Promise<string> {
  const maker = 'browser' in by ? new ApiClient(url) : new ApiClient(url, await accessToken('root', 'jobs:admin', by))
  const headers = 'browser' in by ? by.browser : {}
  return (await maker.json<SignInLink>(201, 'POST', 'api/sign-in-links', body, headers)).url
}

/** The headers of a browser that a link has signed in at a server, from a page of ours. */
export async function signIn(
  url: string,
  sub: string,
  { admin, exp, browser }: { admin?: boolean; exp?: number; browser?: Browser } = {},
) {
  const by = browser ? { browser } : exp === undefined ? {} : { exp }
  const link = await signInLink(url, { sub, ...(admin === undefined ? {} : { admin }) }, by)
  const answer = await new ApiClient(url).request('GET', link)
  return { cookie: cookieOf(answer), 'sec-fetch-site': 'same-origin' }
}

/** The cookie that an answer sets, as it is sent back. */
export function cookieOf(answer: Response): string {
  const cookie = answer.headers.get('set-cookie')?.split(';')[0]
  if (cookie === undefined) throw new Error(`${answer.status} sets no cookie`)
  return cookie
}
