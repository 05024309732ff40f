import type { IdempotencyKey, Note, Page, StoredJob } from './engine.ts'
import type { ChangedRow } from './paging/paging.ts'

/** An idempotency key, and when it was used: milliseconds since the Unix epoch. */
export interface JobKey extends IdempotencyKey {
  at: number
}

/** A note with its expiry: milliseconds since the Unix epoch. */
export interface ExpiringNote extends Note {
  until: number
}

/** All that a store has of a job. */
export interface JobRecord extends StoredJob {
  /** Position in the order of creation: a whole number. */
  place: number
  /** In the order of their versions. */
  rows: ChangedRow[]
  /** In the order of their use. */
  keys: JobKey[]
}

/** Access to all of a store, to copy it to another. No server may use the store meanwhile. */
export interface Transfer {
  /** The server's history, for stores in which it begins generations: two stores must not share one. */
  readonly history?: string
  /** @throws {EngineOpenError} when a server uses the store. Omitted by engines that nobody else can have open */
  requireIdle?(): Promise<void>
  countJobs(): Promise<number>
  /** Ids of all jobs, in an order that stays the same as long as nothing is written. */
  listIds(query: { cursor?: string | undefined; limit: number }): Promise<Page<string>>
  readRecord(id: string): Promise<JobRecord | undefined>
  /**
   * Writes a job as another store has it, atomically, as durably as an event. Wakes nobody. A place that another job has becomes the next
   * free one, and a replaced job keeps its own.
   *
   * @param over the stored job that it replaces. Omitted: there must be none with this id
   * @returns whether the stored job was as expected; otherwise nothing is written
   */
  writeRecord(record: JobRecord, over?: StoredJob): Promise<boolean>
  /** Notes of all kinds, in the order of their keys. May include expired notes. */
  listNotes(query: { after: string; limit: number }): Promise<ExpiringNote[]>
}

/** Whether two readings are of one state of a job. Only its idempotency keys may differ. */
export function isSameState(a: StoredJob | undefined, b: StoredJob | undefined): boolean {
  return (
    a?.header.epoch === b?.header.epoch &&
    a?.header.version === b?.header.version &&
    a?.header.generation === b?.header.generation &&
    a?.marks.tokenSeries === b?.marks.tokenSeries
  )
}
