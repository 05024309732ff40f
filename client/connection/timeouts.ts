/** Client time-outs, in milliseconds, and counts. */

/** Silence after which a stream counts as lost: two and a half ping intervals. */
export const SILENCE_MS = 75_000
/** The same when the page becomes visible again. */
export const SILENCE_SEEN_MS = 40_000
/** Wait for the first byte of a new stream, which starts with a snapshot. */
export const MUTE_MS = 8_000
/** The same for a resumed stream, which may send nothing before the first ping. */
export const QUIET_MS = 40_000
/** Mute streams in a row before the client polls. */
export const MUTE_STARTS = 3
/** Time of polling before a stream is tried again. */
export const STREAM_AGAIN_MS = 300_000
/** Interval of polls, and the time-out of one. */
export const POLL_MS = 5_000
export const POLL_TIMEOUT_MS = 15_000
/** A stream that lived this long was steady: its end is no failure. */
export const STEADY_MS = 10_000
/** The first and the longest back-off; the server's `retry:` replaces the first, from `RETRY_MIN_MS` on. */
export const RETRY_FIRST_MS = 2_000
export const RETRY_MIN_MS = 100
export const RETRY_MAX_MS = 30_000
/** The longest `Retry-After` of the server that is honoured. */
export const RETRY_AFTER_MAX_MS = 300_000
/** The interval of polls from a hidden page. */
export const UNSEEN_MS = 60_000
/** Runtimes fire longer timers at once. */
export const LONGEST_TIMER_MS = 2_147_483_647
