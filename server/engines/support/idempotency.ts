/** Idempotency keys that a job keeps. */
export const KEYS_KEPT = 256
/** How long it keeps them, by the times of the batches, which come from a clock that follows no mistake of the wall clock: milliseconds. */
export const KEY_LIFETIME = 3_600_000
