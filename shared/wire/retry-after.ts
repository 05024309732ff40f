/** An hour. A longer wait is a mistake, and may not fit a timer. */
const LONGEST_MS = 3_600_000

/** The wait of `Retry-After`, which holds seconds or a date: milliseconds from `now`. `undefined` when it is missing or malformed. */
export function retryAfterMs(response: Response, now: number): number | undefined {
  const text = response.headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_MS, Math.max(0, ms))
}
