/**
 * When the store last failed. Until then producers could not be heard, so their silence counts from there: after an outage of Redis, or of a
 * full disk, no job fails before its producer could report again.
 */
export class StoreOutage {
  /** Milliseconds of the monotonic clock; `undefined` if the store has not failed. */
  lastAt: number | undefined
}
