import { backOff } from '../../../shared/time/backoff.ts'
import { systemClock } from '../../../shared/time/clock.ts'
import { type GetToken, TokenSource } from '../../connection/access/token-source.ts'
import type { JobLocation } from '../../connection/job-url.ts'
import { LONGEST_TIMER_MS, RETRY_FIRST_MS, RETRY_MAX_MS } from '../../connection/timeouts.ts'

/** An element, which asks its page for tokens. */
type Asking = HTMLElement & { getToken?: GetToken | undefined }

/** Asks the page for a token: its `job-token` listeners, then the property `getToken`. `undefined` if nobody gives one. */
function ask(element: Asking): string | Promise<string> | undefined {
  let answer: string | Promise<string> | undefined
  const respondWith = (token: string | Promise<string>) => {
    answer = token
  }
  element.dispatchEvent(new CustomEvent('job-token', { detail: { respondWith }, bubbles: true, composed: true }))
  return answer ?? element.getToken?.()
}

/** The tokens of jobs that are followed, and what was given but not used yet. */
const sources = new WeakMap<JobLocation, TokenSource>()
const given = new WeakMap<JobLocation, string | Promise<string>>()

function sourceOf(element: Asking, location: JobLocation): TokenSource {
  const known = sources.get(location)
  if (known) return known
  const made = new TokenSource({
    token: location.token ?? undefined,
    getToken() {
      const token = given.get(location) ?? ask(element) ?? ''
      given.delete(location)
      return token
    },
    clock: systemClock,
    onProblem: (problem) => console.error(`Milepost: ${problem}`),
  })
  sources.set(location, made)
  return made
}

/** Waits, or until `signal` aborts. */
const wait = (ms: number, signal: AbortSignal) =>
  new Promise<unknown>((resolve) => {
    const timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER_MS))
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true })
  })

/** Replaces the token of a location, however often it has to ask, with longer and longer waits. Returns whether it did before `signal` aborted. */
async function replaceToken(source: TokenSource, location: JobLocation, signal: AbortSignal): Promise<boolean> {
  for (let tries = 1; !signal.aborted; tries++) {
    try {
      location.token = await source.renew()
      return !signal.aborted
    } catch {
      await wait(backOff(tries, RETRY_FIRST_MS, RETRY_MAX_MS, Math.random()), signal)
    }
  }
  return false
}

/** Replaces a token that has ended. Resolves to `false` if nobody gives another. */
export async function renewToken(element: Asking, location: JobLocation, signal: AbortSignal): Promise<boolean> {
  try {
    const token = ask(element)
    if (token === undefined) return false
    given.set(location, token)
  } catch {
    // It is asked again.
  }
  return replaceToken(sourceOf(element, location), location, signal)
}

/** Follows a job with tokens of `getToken`: asks for the first if there is none, and for each other before the one before it ends. */
export async function keepToken(
  element: Asking,
  location: JobLocation,
  follow: () => () => void,
  signal: AbortSignal,
): Promise<void> {
  const source = sourceOf(element, location)
  if (!location.token && !(await replaceToken(source, location, signal))) return
  const restart = follow()
  for (let ms = source.renewInMs; ms !== undefined && !signal.aborted; ms = source.renewInMs) {
    await wait(ms, signal)
    // It may have ended before, and been replaced.
    if (source.renewInMs === 0 && (await replaceToken(source, location, signal))) restart()
  }
}
