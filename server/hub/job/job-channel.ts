import type { AppliedEvent } from '../../../shared/document/events.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import type { Timer } from '../../../shared/time/clock.ts'
import type { EndReason } from '../../../shared/wire/messages.ts'
import { tokenSeries } from '../../auth/access.ts'
import type { Change, Engine, Unwatch, View } from '../../jobs/engine.ts'
import { PAGE_BYTES } from '../../jobs/paging/paging.ts'
import { FrameTimer } from '../frame-timer.ts'
import type { HubContext } from '../hub.ts'
import { encode } from '../stream/event-stream.ts'
import {
  type Audience,
  endMessage,
  endOf,
  eventMessages,
  headerPatch,
  isInPatchesOnly,
  patchMessages,
  pingMessage,
  touchesBulk,
} from '../stream/messages.ts'
import { Frame, FrameRing } from './frame-ring.ts'
import type { JobFollower } from './job-follower.ts'

/** Most events that a frame carries individually; more become one patch. */
const EVENTS_PER_FRAME = 8

/**
 * How long new followers share an encoded snapshot, in milliseconds: after a restart all clients reconnect. Short, because the snapshot is
 * stale when a wake-up was lost.
 */
const SNAPSHOT_MS = 1_000

/** Subscribes to a job, directly or through a subscription to its owner. */
export type WatchJob = (id: string, wake: (change: Change) => void, onLost: () => void) => ReturnType<Engine['watch']>

/**
 * One watched job in one view: its newest frames and its followers.
 *
 * Followers have no queues, only a version. Every follower that is at a frame's start and has room gets the frame's bytes. A follower
 * without room is skipped; it catches up later from the ring or with one patch.
 */
export class JobChannel {
  readonly id: string
  readonly view: View
  readonly followers = new Set<JobFollower>()
  /** Resolves once the subscription to the engine is open. */
  readonly ready: Promise<void>
  readonly hub: HubContext
  readonly #onEmpty: () => void
  readonly #frames: FrameTimer
  readonly #ring = new FrameRing()
  #snapshot: { frame: Frame; until: number } | undefined
  #unwatch: Unwatch | undefined
  #ping: Timer
  #closed = false
  #epoch: string | undefined
  /** The newest known version. */
  #version = 0
  /** The version up to which frames were sent. */
  #sent = 0
  /** The events from `#sent` to `#version`; `undefined` if there are too many or some are unknown. */
  #pending: AppliedEvent[] | undefined = []
  /** The header at `#version`, if known. */
  #header: JobHeader | undefined
  /** Whether `result` or `metadata` may have changed since `#sent`. */
  #bulkTouched = false
  #reading = false
  #isChecking = false
  /** The newest known token series of this epoch. */
  #tokenSeries = 0

  constructor(hub: HubContext, id: string, view: View, watch: WatchJob, onEmpty: () => void) {
    this.hub = hub
    this.id = id
    this.view = view
    this.#onEmpty = onEmpty
    this.#frames = new FrameTimer(hub.clock, hub.frameMs, () => this.#sendFrame())
    this.#ping = this.#schedulePing()
    this.ready = watch(
      id,
      (change) => this.#wake(change),
      () => this.#onLost(),
    ).then((unwatch) => {
      this.#unwatch = unwatch
      if (this.#closed) unwatch()
    })
  }

  join(follower: JobFollower): void {
    this.followers.add(follower)
  }

  leave(follower: JobFollower): void {
    if (this.followers.delete(follower)) this.#closeIfEmpty()
  }

  /** After the last follower left: unsubscribes from the engine. */
  #closeIfEmpty(): void {
    if (this.followers.size > 0 || this.#closed) return
    this.#closed = true
    this.#frames.stop()
    this.hub.clock.clearTimeout(this.#ping)
    this.#unwatch?.()
    this.#onEmpty()
  }

  /** Whether frames were sent past a version, or the version is of another epoch. */
  isBeyond(epoch: string | undefined, version: number): boolean {
    return epoch !== this.#epoch || version < this.#sent
  }

  get epoch(): string | undefined {
    return this.#epoch
  }

  /** The frame that starts at a version, if it is still kept; at version 0, the shared snapshot. */
  frameAfter(epoch: string | undefined, version: number): Frame | undefined {
    if (version === 0 && epoch === undefined) return this.#sharedSnapshot()
    if (epoch !== this.#epoch) return undefined
    return version === 0 ? this.#sharedSnapshot() : this.#ring.after(version)
  }

  /** The shared snapshot, if it has not expired and the kept frames continue it. */
  #sharedSnapshot(): Frame | undefined {
    const { frame, until } = this.#snapshot ?? {}
    if (!frame || until === undefined || until <= this.hub.clock.now()) return undefined
    return frame.to === this.#sent || this.#ring.after(frame.to) ? frame : undefined
  }

  /** Makes a frame of the snapshot that a follower read, and shares it for `SNAPSHOT_MS` if there are other followers. */
  shareSnapshot(patch: Patch): Frame {
    const shared = this.#sharedSnapshot()
    if (shared?.to === patch.to && patch.job.epoch === this.#epoch) return shared
    const ends = endOf(patch.job.status) !== undefined
    const frame = new Frame(patch.from, patch.to, ends, (audience) => patchMessages(patch, this.view, audience))
    if (this.followers.size > 1) this.#snapshot = { frame, until: this.hub.clock.now() + SNAPSHOT_MS }
    return frame
  }

  /** Records what a follower read, which may be ahead of the wake-ups. */
  observe({ job: { epoch }, to, more }: Patch): void {
    if (epoch !== this.#epoch) this.#restart(epoch, to)
    else if (to > this.#version && !more) this.#advance({ from: this.#version, to })
  }

  #wake(change: Change): void {
    if (change.removed) this.#end(change.epoch, this.#removalReason(change.header))
    else if (change.epoch !== this.#epoch) this.#restart(change.epoch, change.to)
    else if (change.to > this.#version) this.#advance(change)
    // Told again of a version that is known: the engine is back.
    else if (this.#sent < this.#version) this.#requestFrame()
    if (change.tokenSeries !== undefined) this.#endTokens(change.epoch, change.tokenSeries)
  }

  /** Ends followers whose token series is over. Most changes repeat the known series. */
  #endTokens(epoch: string, series: number): void {
    if (epoch !== this.#epoch || series <= this.#tokenSeries) return
    this.#tokenSeries = series
    for (const follower of this.followers) follower.endTokens(epoch, series)
  }

  /** Restarts at a version; each follower reads up to it by itself. */
  #restart(epoch: string, version: number): void {
    this.#epoch = epoch
    this.#tokenSeries = 0
    this.#version = version
    this.#sent = version
    this.#pending = []
    this.#header = undefined
    this.#bulkTouched = false
    this.#ring.clear()
    this.#snapshot = undefined
    for (const follower of this.followers) follower.pump()
  }

  #advance({ from, to, events, header }: Pick<Change, 'from' | 'to' | 'events' | 'header'>): void {
    // Only the header says whether the events end the job.
    const isKnown = events !== undefined && header !== undefined && !events.some(isInPatchesOnly)
    const isNext = isKnown && from === this.#version
    if (this.#pending && isNext && this.#pending.length + events.length <= EVENTS_PER_FRAME) {
      this.#pending.push(...events)
    } else this.#pending = undefined
    this.#bulkTouched ||= !isNext || touchesBulk(events)
    this.#version = to
    this.#header = header
    this.#requestFrame()
  }

  #requestFrame(): void {
    this.#frames.request(this.#header !== undefined && endOf(this.#header.status) !== undefined)
  }

  #sendFrame(): void {
    const [epoch, from, to, header, events] = [this.#epoch, this.#sent, this.#version, this.#header, this.#pending]
    if (this.#reading || epoch === undefined || from >= to) return
    const reason = header && endOf(header.status)
    if (this.view === 'header' && header) {
      const patch: Patch = { from, to, job: headerPatch(header, this.#bulkTouched) }
      this.#send(new Frame(from, to, reason !== undefined, (audience) => patchMessages(patch, 'header', audience)))
    } else if (this.view === 'all' && events) {
      const end = (audience: Audience) => (reason ? endMessage(this.id, reason, audience) : '')
      const life = { epoch, generation: header?.generation }
      const encodeAll = (audience: Audience) => eventMessages(this.id, life, events, audience) + end(audience)
      this.#send(new Frame(from, to, reason !== undefined, encodeAll))
    } else if (this.#hasFollowerAt(from)) void this.#sendPatch({ epoch, version: from })
    // No follower could use the patch: those that are behind read at their own pace.
    else this.#restart(epoch, to)
  }

  #hasFollowerAt(version: number): boolean {
    for (const follower of this.followers) if (follower.accepts(version)) return true
    return false
  }

  /** Reads one patch from the engine and sends it: for when events are too many or unknown. */
  async #sendPatch(cursor: { epoch: string; version: number }): Promise<void> {
    this.#reading = true
    this.#pending = []
    const known = this.#version
    let isBehind = false
    try {
      const patch = await this.hub.engine.changesSince(this.id, cursor, { view: this.view, maxBytes: PAGE_BYTES })
      if (this.#closed || cursor.epoch !== this.#epoch) return
      if (!patch) this.#end(cursor.epoch, 'deleted')
      else if (patch.job.epoch !== cursor.epoch) this.#restart(patch.job.epoch, patch.to)
      // Too large to share: each follower reads pages at its own pace.
      else if (patch.more) this.#restart(cursor.epoch, this.#version)
      else if (patch.to > patch.from) {
        this.#version = Math.max(this.#version, patch.to)
        const ends = endOf(patch.job.status) !== undefined
        this.#send(new Frame(patch.from, patch.to, ends, (audience) => patchMessages(patch, this.view, audience)))
      }
      isBehind = patch !== undefined && patch.to < known
    } catch {
      isBehind = true
      this.hub.metrics.count('engine_errors')
    } finally {
      this.#reading = false
    }
    // The engine is unavailable, or behind its own wake-ups: the next wake-up or ping retries.
    if (isBehind) this.#pending = undefined
    else if (!this.#closed && this.#sent < this.#version) this.#requestFrame()
  }

  #send(frame: Frame): void {
    this.#sent = frame.to
    this.#pending = this.#pending?.filter(({ version }) => version > frame.to)
    if (this.#sent === this.#version) {
      this.#pending = []
      this.#bulkTouched = false
    }
    this.#ring.add(frame)
    this.hub.metrics.count('frames')
    for (const follower of this.followers) follower.receive(frame)
    this.#ring.trim()
  }

  /** The subscription to the engine was lost. Clients reconnect and resume. */
  #onLost(): void {
    for (const follower of this.followers) follower.disconnect()
  }

  /** Ends the followers of one epoch. */
  #end(epoch: string | undefined, reason: EndReason): void {
    this.#snapshot = undefined
    for (const follower of this.followers) follower.endEpoch(epoch, reason)
  }

  #removalReason(header = this.#header): EndReason {
    const expiresAt = header?.expiresAt
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.hub.clock.now() ? 'expired' : 'deleted'
  }

  #schedulePing(): Timer {
    return this.hub.clock.setTimeout(() => {
      this.#ping = this.#schedulePing()
      this.#snapshot = undefined
      const bytes = encode(pingMessage(this.hub.clock.now(), this.#sent))
      for (const follower of this.followers) follower.ping(bytes)
      if (!this.hub.engine.tellsAll) void this.#checkVersion()
      // Retries a read that failed.
      else if (this.#sent < this.#version) this.#requestFrame()
    }, this.hub.pingMs)
  }

  /** Reads the stored version, because most engines may lose wake-ups. */
  async #checkVersion(): Promise<void> {
    // On a slow engine a check may outlast the ping interval.
    if (this.#isChecking) return
    this.#isChecking = true
    const asked = this.#epoch
    try {
      const stored = await this.hub.engine.read(this.id)
      if (this.#closed) return
      if (!stored) this.#end(asked, this.#removalReason())
      else {
        const { epoch, version } = stored.header
        if (epoch !== this.#epoch) this.#restart(epoch, version)
        else if (version > this.#version) this.#advance({ from: this.#version, to: version, header: stored.header })
        else if (this.#sent < this.#version) this.#requestFrame()
        this.#endTokens(epoch, tokenSeries(stored))
      }
    } catch {
      this.hub.metrics.count('engine_errors')
    } finally {
      this.#isChecking = false
    }
  }
}
