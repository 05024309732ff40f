import { type Answer, explainRedirect, readAnswer } from '../../shared/producer/http-sender.ts'
import type { Post } from '../../shared/producer/outbox.ts'
import type { Clock } from '../../shared/time/clock.ts'
import { withoutSlash } from '../../shared/wire/paths.ts'
import { TokenSource } from '../connection/access/token-source.ts'
import type { ReporterOptions } from './reporter.ts'

/** A server, with a token to send requests with. */
export interface ServerAccess {
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

/** Requests in a row without a word of the server after which that is told. */
const AWAY_TRIES = 5
const WAITS = 'The work goes on; its reports wait in memory, and are lost if this lasts until it ends.'

/** The code of a failed connection. Not its message: for a token that fits no header it has the token. */
function codeOf(error: unknown): string {
  const { code, cause } = Object(error)
  const known: unknown = code ?? Object(cause).code
  return typeof known === 'string' && /^\w+$/.test(known) ? ` (${known})` : ''
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
  const token = typeof options.token === 'function' ? undefined : options.token
  const getToken = typeof options.token === 'function' ? options.token : options.getToken
  const url = withoutSlash(options.url)
  const send = options.fetch ?? ((url, init) => fetch(url, init))
  // All jobs and tries meet the same redirect.
  let isRedirectTold = false
  let failures = 0
  let isAwayTold = false
  /** Without a word of the server, time and again. */
  const noteFailure = (what: string) => {
    failures += 1
    if (failures < AWAY_TRIES || isAwayTold) return
    isAwayTold = true
    tell(`${url} ${what}. Check the address, the network and the server. ${WAITS}`)
  }
  const source = getToken && new TokenSource({ token, getToken, clock, onProblem: tell })
  const request: ServerAccess['request'] = async (path, init, isOurs) => {
    let present: string | undefined
    try {
      present = source ? await source.get() : token
    } catch {
      // The source has told.
      return { failed: { retry: true } }
    }
    try {
      const response = await send(`${url}/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${present}`, ...init.headers },
        redirect: 'manual',
      })
      const redirect = explainRedirect(response, `${url}/${path}`)
      if (redirect && !isRedirectTold) tell(`${url} ${redirect}`)
      isRedirectTold ||= redirect !== undefined
      const answer = await readAnswer(response, isOurs, clock.now())
      if ('body' in answer || answer.problem) failures = 0
      else if (!redirect && response.status !== 413)
        noteFailure(`answers with status ${response.status}, but not as Milepost does`)
      if ('failed' in answer && answer.problem?.status === 401) {
        if (source && present) source.refuse(present)
        else tell(`The token was refused: ${answer.problem.detail}`)
      }
      return answer
    } catch (error) {
      noteFailure(init.signal?.aborted ? 'does not answer' : `can't be reached${codeOf(error)}`)
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
