import type { TrustedClock } from './trusted-clock.ts'

/** Most idempotency keys kept per job. */
export const KEYS_KEPT = 256
/** How long a key is kept at least, unless newer keys displace it: milliseconds of the server's clock. */
export const KEY_LIFETIME = 3_600_000

/**
 * A batch that is applied at `now` forgets keys used up to this time: milliseconds since the Unix epoch; `undefined` for none.
 *
 * Downtime and clock steps do not count, because a producer could not have retried meanwhile: there is no horizon until the server has been
 * up for `KEY_LIFETIME`.
 */
export function keyHorizon({ since }: Pick<TrustedClock, 'since'>, now: number): number | undefined {
  return now - since < KEY_LIFETIME ? undefined : now - KEY_LIFETIME
}

/** Whether a batch with this horizon forgets a key that was used at `at`. */
export function isForgotten(at: number, { keyHorizon: horizon }: { keyHorizon?: number | undefined }): boolean {
  return horizon !== undefined && at <= horizon
}
