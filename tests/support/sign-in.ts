import type { SignInLink } from '../../shared/wire/api.ts'
import { ApiClient } from './api-client.ts'
import { accessToken } from './tokens.ts'

/** The header of a browser that a link has signed in at a server, from a page of ours. */
export async function signIn(url: string, sub: string, more: { admin?: boolean; exp?: number } = {}) {
  const { exp, ...options } = more
  const root = new ApiClient(url, await accessToken('root', 'jobs:admin', exp === undefined ? {} : { exp }))
  const link = await root.json<SignInLink>(201, 'POST', 'api/sign-in-links', { sub, ...options })
  const answer = await new ApiClient(url).request('GET', link.url)
  return { cookie: cookieOf(answer), 'sec-fetch-site': 'same-origin' }
}

/** The cookie that an answer sets, as it is sent back. */
export function cookieOf(answer: Response): string {
  const cookie = answer.headers.get('set-cookie')?.split(';')[0]
  if (cookie === undefined) throw new Error(`${answer.status} sets no cookie`)
  return cookie
}
