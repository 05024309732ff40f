import type { JobHeader } from '../../shared/job.ts'
import type { EndReason } from '../../shared/wire.ts'
import type { Change, Unwatch } from '../engine.ts'
import { encode } from './event-stream.ts'
import { FrameTimer } from './frame-timer.ts'
import { headerPatch, touchesBulk } from './header-patch.ts'
import type { HubContext } from './hub.ts'
import { endMessage, patchMessages } from './messages.ts'
import type { OwnerFollower } from './owner-follower.ts'

/** What became of one of the owner's jobs, the newest of it. */
export interface Entry {
  /** Its place in the order of changes that this channel saw. */
  place: number
  header: JobHeader
  /** The version before the changes of the frame that it last was in. */
  from: number
  bulkTouched: boolean
  removed?: EndReason
}

/**
 * All jobs of one owner, or the children of one job, in the header view.
 *
 * The same idea as in a job's channel, one level up: each job that changed has its newest header here and a place in the order of changes; a
 * follower is a place. Whoever is behind is sent the newest header of each job that changed since.
 */
export class OwnerChannel {
  readonly owner: string
  readonly parentId: string | undefined
  readonly followers = new Set<OwnerFollower>()
  readonly ready: Promise<void>
  readonly #hub: HubContext
  readonly #onEmpty: () => void
  readonly #frames: FrameTimer
  /** In the order of their places. */
  readonly #entries = new Map<string, Entry>()
  #unwatch: Unwatch | undefined
  #closed = false
  #place = 0
  #sent = 0

  constructor(hub: HubContext, owner: string, parentId: string | undefined, onEmpty: () => void) {
    this.#hub = hub
    this.owner = owner
    this.parentId = parentId
    this.#onEmpty = onEmpty
    this.#frames = new FrameTimer(hub.clock, hub.frameMs, () => this.#sendFrame())
    this.ready = hub.engine
      .watch({ owner }, (change) => this.#wake(change))
      .then((unwatch) => {
        this.#unwatch = unwatch
        if (this.#closed) unwatch()
      })
  }

  join(follower: OwnerFollower): void {
    this.followers.add(follower)
  }

  leave(follower: OwnerFollower): void {
    if (this.followers.delete(follower)) this.closeIfEmpty()
  }

  closeIfEmpty(): void {
    if (this.followers.size > 0 || this.#closed) return
    this.#closed = true
    this.#frames.stop()
    this.#unwatch?.()
    this.#onEmpty()
  }

  /** The place up to which frames were sent. */
  get sent(): number {
    return this.#sent
  }

  /** What changed after a place and was sent to others, oldest first. */
  *sentAfter(place: number): Iterable<Entry> {
    for (const entry of this.#entries.values()) if (entry.place > place && entry.place <= this.#sent) yield entry
  }

  #wake(change: Change): void {
    const before = this.#entries.get(change.id)
    const header = change.header ?? before?.header
    if (!header || (this.parentId !== undefined && header.parentId !== this.parentId)) return
    const isSameLife = before?.header.epoch === change.epoch
    if (isSameLife && !change.removed && change.to <= before.header.version) return
    const isUnsent = isSameLife && before.place > this.#sent
    const entry: Entry = {
      place: ++this.#place,
      header,
      from: isUnsent ? before.from : change.from,
      bulkTouched: touchesBulk(change.events) || (isUnsent && before.bulkTouched),
    }
    if (change.removed) entry.removed = this.#removalReason(header)
    this.#entries.delete(change.id)
    this.#entries.set(change.id, entry)
    this.#frames.request(false)
  }

  #removalReason({ expiresAt }: JobHeader): EndReason {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.#hub.clock.now() ? 'expired' : 'deleted'
  }

  #sendFrame(): void {
    const from = this.#sent
    this.#sent = this.#place
    const changed = [...this.sentAfter(from)]
    if (changed.length === 0) return
    const bytes = encode(changed.map((entry) => entryMessages(entry, entry.from)).join(''))
    this.#hub.metrics.count('frames')
    for (const follower of this.followers) follower.receive(from, this.#sent, bytes)
    this.forget()
  }

  /** Forgets what all followers have. */
  forget(): void {
    let oldest = this.#sent
    for (const { place } of this.followers) oldest = Math.min(oldest, place)
    for (const [id, entry] of this.#entries) {
      if (entry.place > oldest) return
      this.#entries.delete(id)
    }
  }
}

/** The messages that bring a watcher from a version of a job to its newest header. */
export function entryMessages({ header, removed, bulkTouched }: Entry, from: number): string {
  if (removed) return endMessage(header.id, removed, 'many')
  const job = headerPatch(header, bulkTouched || from === 0)
  return patchMessages({ from, to: header.version, job }, 'header', 'many')
}
