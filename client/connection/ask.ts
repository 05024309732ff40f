import { readJson, readProblem } from '../../shared/wire/answers.ts'
import { retryAfterMs } from '../../shared/wire/retry-after.ts'
import type { ConnectionEvent } from './connection-state.ts'
import type { Environment } from './environment.ts'

/** A failed request. */
export type Failure = Extract<ConnectionEvent, { type: 'failed' }>

/**
 * Requests JSON.
 *
 * @param take turns the parsed answer and its `Date`, which may be empty, into an event of the policy; `undefined` when it is not the server's
 * @returns that event with the server's `Retry-After`, or the failure
 */
export async function ask<T extends ConnectionEvent>(
  url: string,
  init: RequestInit,
  environment: Environment,
  take: (answer: unknown, date: string) => T | undefined,
): Promise<(T & Pick<Failure, 'retryAfterMs'>) | Failure> {
  const response = await environment.fetch(url, { cache: 'no-store', ...init })
  const date = response.headers.get('date') ?? ''
  const taken = response.ok ? take(await readJson(response), date) : undefined
  if (!taken) return failureOf(response, environment)
  return Object.assign(taken, { retryAfterMs: retryAfterMs(response, environment.clock.now()) })
}

/** The failure of a response; with a status only if the server itself refused. */
export async function failureOf(response: Response, { clock }: Environment): Promise<Failure> {
  const isRefusal = (await readProblem(response)) !== undefined
  const status = isRefusal ? response.status : undefined
  return { type: 'failed', status, retryAfterMs: retryAfterMs(response, clock.now()) }
}
