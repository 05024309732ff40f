import type { AppliedEvent } from '../../shared/document/events.ts'
import type { JobHeader, Patch } from '../../shared/document/job.ts'
import type { Timer } from '../../shared/time/clock.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import { tokenSeries } from '../auth/access.ts'
import type { Change, Engine, Unwatch, View } from '../jobs/engine.ts'
import { PAGE_BYTES } from '../jobs/paging.ts'
import { encode } from './event-stream.ts'
import { Frame, FrameRing } from './frame-ring.ts'
import { FrameTimer } from './frame-timer.ts'
import type { HubContext } from './hub.ts'
import type { JobFollower } from './job-follower.ts'
import {
  type Audience,
  endMessage,
  endOf,
  eventMessages,
  headerPatch,
  patchMessages,
  pingMessage,
  touchesBulk,
} from './messages.ts'

/** How often a stream says that it is alive: milliseconds. */
export const PING_MS = 30_000
/** Events that a frame carries one by one; more travel as one patch. */
const EVENTS_PER_FRAME = 8

/**
 * How long a whole document is shared by those who come one after another, as all do when a server starts again: milliseconds. Not for long,
 * since it may be older than what is stored, where wake-ups get lost.
 */
const SHARED_MS = 1_000

/** Subscribes to a job: to it alone, or to one among those that its owner's subscription tells of. */
export type WatchJob = (id: string, wake: (change: Change) => void, onLost: () => void) => ReturnType<Engine['watch']>

/**
 * One job that is watched here, in one view: its newest frames, and those who follow it.
 *
 * Nobody has a queue. A follower is a version; the bytes of a frame go to all who stand where it begins and have room. Whoever has none
 * is left where it is, and makes good for it later, from the frames kept or with one patch.
 */
export class JobChannel {
  readonly id: string
  readonly view: View
  readonly followers = new Set<JobFollower>()
  /** Resolves once the engine tells of changes. */
  readonly ready: Promise<void>
  readonly #hub: HubContext
  readonly #onEmpty: () => void
  readonly #frames: FrameTimer
  readonly #ring = new FrameRing()
  #whole: { frame: Frame; until: number } | undefined
  #unwatch: Unwatch | undefined
  #ping: Timer
  #closed = false
  #epoch: string | undefined
  /** The newest version that is known of. */
  #version = 0
  /** The version up to which frames were sent. */
  #sent = 0
  /** The events between the two, or `undefined` when there are many, or not all are known. */
  #pending: AppliedEvent[] | undefined = []
  /** The header at `#version`, when it is known. */
  #header: JobHeader | undefined
  /** Whether `result` or `metadata` may have changed since `#sent`. */
  #bulkTouched = false
  #reading = false
  /** The series that tokens of this life are in, as far as it was told. */
  #tokenSeries = 0

  constructor(hub: HubContext, id: string, view: View, watch: WatchJob, onEmpty: () => void) {
    this.#hub = hub
    this.id = id
    this.view = view
    this.#onEmpty = onEmpty
    this.#frames = new FrameTimer(hub.clock, hub.frameMs, () => this.#sendFrame())
    this.#ping = this.#schedulePing()
    this.ready = watch(
      id,
      (change) => this.#wake(change),
      () => this.#lose(),
    ).then((unwatch) => {
      this.#unwatch = unwatch
      if (this.#closed) unwatch()
    })
  }

  join(follower: JobFollower): void {
    this.followers.add(follower)
  }

  leave(follower: JobFollower): void {
    if (this.followers.delete(follower)) this.closeIfEmpty()
  }

  /** Nobody follows: the engine need not tell any more. */
  closeIfEmpty(): void {
    if (this.followers.size > 0 || this.#closed) return
    this.#closed = true
    this.#frames.stop()
    this.#hub.clock.clearTimeout(this.#ping)
    this.#unwatch?.()
    this.#onEmpty()
  }

  /** Whether frames went beyond a version, or it is of another life. */
  isBeyond(epoch: string | undefined, version: number): boolean {
    return epoch !== this.#epoch || version < this.#sent
  }

  get epoch(): string | undefined {
    return this.#epoch
  }

  /** The frame that continues a version, when it is still kept. */
  keptAfter(epoch: string | undefined, version: number): Frame | undefined {
    if (version === 0 && epoch === undefined) return this.#sharedWhole()
    if (epoch !== this.#epoch) return undefined
    return version === 0 ? this.#sharedWhole() : this.#ring.after(version)
  }

  /** The whole document, while those who come can go on from it with what is kept. */
  #sharedWhole(): Frame | undefined {
    const { frame, until } = this.#whole ?? {}
    if (!frame || until === undefined || until <= this.#hub.clock.now()) return undefined
    return frame.to === this.#sent || this.#ring.after(frame.to) ? frame : undefined
  }

  /** Makes a frame of a whole document that a follower read, and keeps it for a moment if there are others. */
  shareWhole(patch: Patch): Frame {
    const ends = endOf(patch.job.status) !== undefined
    const frame = new Frame(patch.from, patch.to, ends, (audience) => patchMessages(patch, this.view, audience))
    if (this.followers.size > 1) this.#whole = { frame, until: this.#hub.clock.now() + SHARED_MS }
    return frame
  }

  /** Learns from what a follower read: it may be ahead of the wake-ups. */
  observe({ job: { epoch }, to, more }: Patch): void {
    if (epoch !== this.#epoch) this.#restart(epoch, to)
    else if (to > this.#version && !more) this.#advance({ from: this.#version, to })
  }

  #wake(change: Change): void {
    if (change.removed) this.#end(change.epoch, this.#removalReason(change.header))
    else if (change.epoch !== this.#epoch) this.#restart(change.epoch, change.to)
    else if (change.to > this.#version) this.#advance(change)
    if (change.tokenSeries !== undefined) this.#endTokens(change.epoch, change.tokenSeries)
  }

  /** Most changes repeat what was told before. */
  #endTokens(epoch: string, series: number): void {
    if (epoch !== this.#epoch || series <= this.#tokenSeries) return
    this.#tokenSeries = series
    for (const follower of this.followers) follower.endTokens(epoch, series)
  }

  /** Begins anew at a version: followers get there by themselves. */
  #restart(epoch: string, version: number): void {
    this.#epoch = epoch
    this.#tokenSeries = 0
    this.#version = version
    this.#sent = version
    this.#pending = []
    this.#header = undefined
    this.#bulkTouched = false
    this.#ring.clear()
    this.#whole = undefined
    for (const follower of this.followers) follower.pump()
  }

  #advance({ from, to, events, header }: Pick<Change, 'from' | 'to' | 'events' | 'header'>): void {
    // Without the header nobody knows whether the events bring the job to its end.
    const isNext = events !== undefined && header !== undefined && from === this.#version
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
    } else if (this.#isAwaitedAt(from)) void this.#sendPatch({ epoch, version: from })
    // There is nobody to read it for now: those who are behind read at a pace of their own.
    else this.#restart(epoch, to)
  }

  #isAwaitedAt(version: number): boolean {
    for (const follower of this.followers) if (follower.standsAt(version)) return true
    return false
  }

  /** Sends as one patch, read from the engine, what wake-ups told too much or too little of. */
  async #sendPatch(cursor: { epoch: string; version: number }): Promise<void> {
    this.#reading = true
    this.#pending = []
    const known = this.#version
    let isBehind = false
    try {
      const patch = await this.#hub.engine.changesSince(this.id, cursor, { view: this.view, maxBytes: PAGE_BYTES })
      if (this.#closed || cursor.epoch !== this.#epoch) return
      if (!patch) this.#end(cursor.epoch, 'deleted')
      else if (patch.job.epoch !== cursor.epoch) this.#restart(patch.job.epoch, patch.to)
      // Too much to be shared: everyone reads the pages at a pace of their own.
      else if (patch.more) this.#restart(cursor.epoch, this.#version)
      else if (patch.to > patch.from) {
        this.#version = Math.max(this.#version, patch.to)
        const ends = endOf(patch.job.status) !== undefined
        this.#send(new Frame(patch.from, patch.to, ends, (audience) => patchMessages(patch, this.view, audience)))
      }
      isBehind = patch !== undefined && patch.to < known
    } catch {
      isBehind = true
      this.#hub.metrics.count('engine_errors')
    } finally {
      this.#reading = false
    }
    // The engine is away, or behind what it told: the next wake-up or ping asks again.
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
    this.#hub.metrics.count('frames')
    for (const follower of this.followers) follower.receive(frame)
    this.#ring.trim()
  }

  /** The engine tells no more. Clients connect again, and go on from what they have. */
  #lose(): void {
    for (const follower of this.followers) follower.disconnect()
  }

  /** One life is over; followers of another hear nothing of it. */
  #end(epoch: string | undefined, reason: EndReason): void {
    this.#whole = undefined
    for (const follower of this.followers) follower.endLife(epoch, reason)
  }

  #removalReason(header = this.#header): EndReason {
    const expiresAt = header?.expiresAt
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.#hub.clock.now() ? 'expired' : 'deleted'
  }

  #schedulePing(): Timer {
    return this.#hub.clock.setTimeout(() => {
      this.#ping = this.#schedulePing()
      this.#whole = undefined
      const bytes = encode(pingMessage(this.#hub.clock.now(), this.#sent))
      for (const follower of this.followers) follower.ping(bytes)
      if (!this.#hub.engine.tellsAll) void this.#checkVersion()
      // What it told is still to be read from an engine that was away.
      else if (this.#sent < this.#version) this.#requestFrame()
    }, PING_MS)
  }

  /** Wake-ups may be lost: so most engines are asked at every ping. */
  async #checkVersion(): Promise<void> {
    const asked = this.#epoch
    try {
      const stored = await this.#hub.engine.read(this.id)
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
      this.#hub.metrics.count('engine_errors')
    }
  }
}
