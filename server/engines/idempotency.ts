/** Idempotency keys that a job keeps. */
export const KEYS_KEPT = 256
/** How long it keeps them: milliseconds. */
export const KEY_LIFETIME = 3_600_000
