import type { ConnectionEvent } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { retryAfterMs } from './retry-after.ts'

/** An answer that is not what was asked for. */
export type Failure = Extract<ConnectionEvent, { type: 'failed' }>

/**
 * Asks for something as JSON.
 *
 * @param take takes the parsed answer, and says what it is to the policy
 * @returns that, and when to ask again; or what went wrong
 */
export async function ask<T extends ConnectionEvent>(
  url: string,
  init: RequestInit,
  environment: Environment,
  take: (answer: unknown) => T,
): Promise<(T & Pick<Failure, 'retryAfterMs'>) | Failure> {
  const response = await environment.fetch(url, { cache: 'no-store', ...init })
  if (!response.ok) return failureOf(response, environment)
  return Object.assign(take(await response.json()), { retryAfterMs: retryAfterMs(response, environment.clock.now()) })
}

/** What a response that is not good is to the policy. */
export function failureOf(response: Response, { clock }: Environment): Failure {
  void response.body?.cancel().catch(() => {})
  return { type: 'failed', status: response.status, retryAfterMs: retryAfterMs(response, clock.now()) }
}
