/** How long a connection waits for what, whoever keeps it: milliseconds, but for counts. */

/** Silence after which a stream counts as lost: two and a half of the server's pings. */
export const SILENCE_MS = 75_000
/** The same for someone who comes back to the page and is looking at it. */
export const SILENCE_SEEN_MS = 40_000
/** How long a stream may be mute after it was asked for: whoever has nothing yet is owed a snapshot at once. */
export const MUTE_MS = 8_000
/** The same for a stream that goes on where the client is: there may be nothing to say before the first ping. */
export const QUIET_MS = 40_000
/** Mute streams in a row before polling takes over. */
export const MUTE_STARTS = 3
/** How long polling takes over, before a stream is tried again. */
export const STREAM_AGAIN_MS = 300_000
export const POLL_MS = 5_000
export const POLL_TIMEOUT_MS = 15_000
/** A stream that lived this long was a good one: its end is no failure of the server's. */
export const STEADY_MS = 10_000
/** The wait before the first try, unless the server wishes another; and the longest. */
export const RETRY_FIRST_MS = 2_000
export const RETRY_MOST_MS = 30_000
/** The longest `Retry-After` that is honoured. */
export const RETRY_AFTER_MOST_MS = 300_000

/** The wait before another try: exponential, and random, so that those who lost the same server do not come back together. */
export function backOff(firstMs: number, tries: number, random: number): number {
  return Math.min(RETRY_MOST_MS, firstMs * 2 ** Math.min(10, tries - 1)) * (0.5 + random / 2)
}
