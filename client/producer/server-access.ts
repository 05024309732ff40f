import { type Answer, explainRedirect, readAnswer } from '../../shared/producer/http-sender.ts'
import type { Post } from '../../shared/producer/outbox.ts'
import type { Clock } from '../../shared/time/clock.ts'
import { withoutSlash } from '../../shared/wire/paths.ts'
import { TokenSource } from '../connection/access/token-source.ts'
import type { ReporterOptions } from './reporter.ts'

/** A server, with a token to send requests with. */
interface ServerAccess {
  /** Its address, without a slash at the end. */
  readonly url: string
  /** Tells the listener of problems. Never throws. */
  tell(problem: string): void
  /** The token for a request. May reject. */
  token(): Promise<string | undefined>
  /** Sends a request. Never rejects. @param path relative to the address. @param isOurs whether the body of a success is the server's */
  request<T>(
    path: string,
    init: RequestInit & { headers?: Record<string, string> },
    isOurs: (answer: unknown) => answer is T,
  ): Promise<Answer<T>>
  readonly post: Post
}

/** Sends a producer's requests. */
export function accessServer(options: ReporterOptions, clock: Clock): ServerAccess {
  const tell = (problem: string) => {
    try {
      options.onProblem?.(problem)
    } catch {
      // A failing listener must not break the work.
    }
  }
  const { token, getToken } = options
  const url = withoutSlash(options.url)
  const send = options.fetch ?? ((url, init) => fetch(url, init))
  // All jobs and tries meet the same redirect.
  let isRedirectTold = false
  const source = getToken && new TokenSource({ token, getToken, clock, onProblem: tell })
  const request: ServerAccess['request'] = async (path, init, isOurs) => {
    try {
      const present = source ? await source.get() : token
      const response = await send(`${url}/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${present}`, ...init.headers },
        redirect: 'manual',
      })
      const redirect = explainRedirect(response, `${url}/${path}`)
      if (redirect && !isRedirectTold) tell(`${url} ${redirect}`)
      isRedirectTold ||= redirect !== undefined
      const answer = await readAnswer(response, isOurs, clock.now())
      if ('failed' in answer && answer.problem?.status === 401) {
        if (source && present) source.refuse(present)
        else tell(`The token was refused: ${answer.problem.detail}`)
      }
      return answer
    } catch {
      return { failed: { retry: true } }
    }
  }
  return {
    url,
    tell,
    token: async () => (source ? source.get() : token),
    request,
    post: (path, body, headers, isOurs, signal) =>
      request(
        path,
        { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, signal },
        isOurs,
      ),
  }
}
