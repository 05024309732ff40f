import type { TrustedClock } from './trusted-clock.ts'

/** Idempotency keys that a job keeps. */
export const KEYS_KEPT = 256
/** How long it keeps them at least, by the server's clock, if no more come: milliseconds. */
export const KEY_LIFETIME = 3_600_000

/**
 * The moment before which a batch that is taken now forgets keys, that one included: milliseconds since the epoch.
 *
 * Time while the server was away does not count, nor does a step of its clock: a producer could not have tried again meanwhile. So until the
 * server has been there for the lifetime of keys there is no such moment.
 */
export function keyHorizon({ since }: Pick<TrustedClock, 'since'>, now: number): number | undefined {
  return now - since < KEY_LIFETIME ? undefined : now - KEY_LIFETIME
}

/** Whether a key that was used at a moment is old enough to be forgotten by a batch. */
export function isForgotten(at: number, { keyHorizon: horizon }: { keyHorizon?: number | undefined }): boolean {
  return horizon !== undefined && at <= horizon
}
