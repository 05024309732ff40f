import type { ConnectionEvent } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { retryAfterMs } from './retry-after.ts'

/**
 * Asks for something as JSON, and answers what that is to the policy.
 *
 * @param take takes the parsed answer
 */
export async function ask(
  url: string,
  init: RequestInit,
  environment: Environment,
  take: (answer: unknown) => ConnectionEvent,
): Promise<ConnectionEvent> {
  const response = await environment.fetch(url, { cache: 'no-store', ...init })
  if (!response.ok) return failureOf(response, environment)
  return Object.assign(take(await response.json()), { retryAfterMs: retryAfterMs(response, environment.clock.now()) })
}

/** What an answer that is not what was asked for is to the policy. */
export function failureOf(response: Response, { clock }: Environment): ConnectionEvent {
  void response.body?.cancel().catch(() => {})
  return { type: 'failed', status: response.status, retryAfterMs: retryAfterMs(response, clock.now()) }
}
