import type { Attempt } from '../connection.ts'
import type { ConnectionEvent } from '../connection-state.ts'
import type { Environment } from '../environment.ts'
import { type BearerOptions, bearerHeaders } from '../job-url.ts'
import { LONGEST_TIMER_MS } from '../timeouts.ts'
import { type ClientRequests, openStream, requestJson } from '../transport.ts'
import { TokenSource } from './token-source.ts'

/** Requests with a credential that may be renewed. */
interface Credential extends ClientRequests {
  headers(): Promise<Readonly<Record<string, string>> | undefined>
  /** Whether the stream is opened again with the next token when its token has ended. */
  readonly isRenewable: boolean
}

/**
 * The credential of a stream and of the requests beside it.
 *
 * @param again called when there is another token, before the present one ends: the moment to open the next stream
 */
export function createCredential(
  { bearer, getToken }: BearerOptions,
  environment: Environment,
  again: () => void,
): Credential {
  const { clock } = environment
  if (!getToken) {
    const headers = bearerHeaders(bearer)
    return {
      open: (url, attempt) => openStream(url, headers, environment, attempt),
      request: (url, init, ...more) => requestJson(url, { ...init, ...(headers && { headers }) }, ...more),
      headers: async () => headers,
      isRenewable: false,
    }
  }
  const onProblem = (problem: string) => console.error(`Milepost: ${problem}`)
  const source = new TokenSource({ token: bearer, getToken, clock, onProblem })
  /** A refusal is not final: there is another token. */
  const outcome = <Event extends ConnectionEvent | undefined>(event: Event, token: string): Event | ConnectionEvent => {
    if (event?.type !== 'failed' || (event.status !== 401 && event.status !== 403)) return event
    source.refuse(token)
    return { type: 'failed', retryAfterMs: event.retryAfterMs }
  }

  return {
    async open(url, attempt) {
      const token = await source.get()
      attempt.signal.throwIfAborted()
      renewInTime(attempt.signal)
      const take: Attempt['take'] = (name, data) => {
        if (name === 'end' && `${data}`.includes('"token-expired"')) source.refuse(token)
        attempt.take(name, data)
      }
      return outcome(await openStream(url, bearerHeaders(token), environment, { ...attempt, take }), token)
    },
    async request(url, init, ...more) {
      const token = await source.get()
      return outcome(await requestJson(url, { ...init, headers: { ...bearerHeaders(token) } }, ...more), token)
    },
    headers: async () => bearerHeaders(await source.get()),
    isRenewable: true,
  }

  /** The stream goes on until there is another token. */
  function renewInTime(signal: AbortSignal): void {
    const { renewInMs } = source
    if (renewInMs === undefined) return
    const timer = clock.setTimeout(
      () =>
        source.renew().then(
          () => signal.aborted || again(),
          () => signal.aborted || renewInTime(signal),
        ),
      Math.min(renewInMs, LONGEST_TIMER_MS),
    )
    signal.addEventListener('abort', () => clock.clearTimeout(timer))
  }
}
