/** An hour: whoever asks for more is mistaken, and a timer could not keep it. */
const LONGEST_MS = 3_600_000

/** What `Retry-After` asks for, in milliseconds from `now`: it names a wait in seconds or a moment. `undefined` when it says neither. */
export function retryAfterMs(response: Response, now: number): number | undefined {
  const text = response.headers.get('retry-after')
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_MS, Math.max(0, ms))
}
