/** The longest `Retry-After` of a foreign answer that is honoured: milliseconds. A proxy names an hour of maintenance and is back in a minute. */
export const FOREIGN_WAIT_MS = 10_000

/**
 * The wait of `Retry-After`, which holds seconds or a date: milliseconds from `now`; 0 when it is missing or malformed.
 *
 * @param mostMs the longest wait; the server's own may be longer than {@link FOREIGN_WAIT_MS}
 */
export function retryAfterMs(response: Response, now: number, mostMs: number): number {
  const text = response.headers.get('retry-after') ?? ''
  const ms = Number(text) * 1_000 || Date.parse(text) - now
  return Math.min(mostMs, Math.max(0, ms || 0))
}
