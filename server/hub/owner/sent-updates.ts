import type { JobHeader } from '../../../shared/document/job.ts'
import type { EndReason } from '../../../shared/wire/messages.ts'
import { endMessage, headerPatch, patchMessages } from '../stream/messages.ts'

/** An update of one of an owner's jobs: its newest header, or its removal. */
export type JobUpdate = { id: string; epoch: string } & (
  | {
      header: JobHeader
      /** Version of followers that have all earlier updates; 0 if this epoch is new to them. */
      from: number
      /** Whether `result` or `metadata` may have changed since `from`. */
      bulkTouched: boolean
    }
  | { removed: EndReason }
)

/** An update with its position in a channel's order of updates. */
export type OrderedUpdate = JobUpdate & { position: number }

/** Encodes the change from a version of a job to the update. */
export function updateMessages(update: JobUpdate, from: number): string {
  if ('removed' in update) return endMessage(update.id, update.removed, 'many')
  const job = headerPatch(update.header, update.bulkTouched || from === 0)
  return patchMessages({ from, to: update.header.version, job }, 'header', 'many')
}

/** Encodes a job as a new follower is sent it. */
export function snapshotMessages(header: JobHeader): string {
  const { id, epoch } = header
  return updateMessages({ id, epoch, header, from: 0, bulkTouched: true }, 0)
}

/** Most headers kept for followers that are a little behind. */
const MAX_HEADERS = 32
/** Most updates remembered. A follower that lacks more is disconnected and starts over. */
export const MAX_UPDATES = 50_000

/** An update whose header was dropped: it has to be read again. */
export interface UpdateStub {
  id: string
  epoch: string
  position: number
}

/**
 * Sent updates in order, the newest of each job, for followers that are behind. Only a few keep their headers, so a stalled follower does not
 * pin headers in memory.
 */
export class SentUpdates {
  readonly #entries = new Map<string, OrderedUpdate | UpdateStub>()
  /** Jobs whose headers are kept, the oldest update first. */
  readonly #withHeader = new Set<string>()

  add(entry: OrderedUpdate): void {
    const { id } = entry
    this.#entries.delete(id)
    this.#withHeader.delete(id)
    this.#entries.set(id, entry)
    if ('header' in entry) this.#withHeader.add(id)
  }

  /** Updates after a position, oldest first; includes those added while iterating. */
  *after(position: number): Iterable<OrderedUpdate | UpdateStub> {
    for (const entry of this.#entries.values()) if (entry.position > position) yield entry
  }

  /** Forgets the updates up to a position. */
  forget(position: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.position > position) return
      this.#entries.delete(id)
      this.#withHeader.delete(id)
    }
  }

  /**
   * Drops the oldest headers and updates beyond the bounds.
   *
   * @returns the position up to which updates were dropped; 0 if none was
   */
  trim(): number {
    for (const id of this.#withHeader) {
      if (this.#withHeader.size <= MAX_HEADERS) break
      this.#withHeader.delete(id)
      const entry = this.#entries.get(id)
      // `set` keeps the position of an existing key in the map.
      if (entry) this.#entries.set(id, { id, epoch: entry.epoch, position: entry.position })
    }
    let position = 0
    for (const [id, entry] of this.#entries) {
      if (this.#entries.size <= MAX_UPDATES) break
      position = entry.position
      this.#entries.delete(id)
      this.#withHeader.delete(id)
    }
    return position
  }
}
