import type { Cursor } from '../../../shared/document/cursor.ts'
import type { Patch } from '../../../shared/document/job.ts'
import type { EndReason } from '../../../shared/wire/messages.ts'
import { tokenSeries } from '../../auth/access.ts'
import { PAGE_BYTES } from '../../jobs/paging/paging.ts'
import type { HubContext } from '../hub.ts'
import { inTurn, inTurnToSend } from '../steps.ts'
import { type EventStream, encode, type Follower } from '../stream/event-stream.ts'
import { type Audience, endMessage, endOf, patchMessages } from '../stream/messages.ts'
import type { Frame } from './frame-ring.ts'
import type { JobChannel } from './job-channel.ts'

/**
 * One stream's position in one job: a version, and nothing that grows.
 *
 * A follower either accepts the channel's shared frames or catches up alone, from kept frames or the engine; never both at once, and always
 * from its exact version. So no event is lost or repeated between a state that is read and the next frame.
 *
 * It follows one epoch of the job. The next epoch may have another owner: the stream closes, and a client that reconnects is authorized anew.
 */
export class JobFollower implements Follower {
  readonly #hub: HubContext
  readonly #channel: JobChannel
  readonly #stream: EventStream
  readonly #audience: Audience
  readonly #tokenSeries: number | undefined
  #epoch: string | undefined
  #version: number
  /**
   * Whether no page up to `#version` is missing. Unknown for a client that resumes from a cursor: it may have disconnected between two pages.
   * So its first patch is read from the engine.
   */
  #complete = false
  #catchingUp = false
  /** Whether `pump()` was called since the last read began. */
  #wasPumped = false
  #left = false
  hasJoined = false

  /**
   * @param cursor epoch to follow, and the client's version in it, 0 for none; omitted: the epoch that is read first
   * @param tokenSeries series of the token that opened the stream, if one did
   */
  constructor(
    channel: JobChannel,
    stream: EventStream,
    audience: Audience,
    cursor: Cursor | undefined,
    tokenSeries?: number,
  ) {
    this.#hub = channel.hub
    this.#channel = channel
    this.#stream = stream
    this.#audience = audience
    this.#tokenSeries = tokenSeries
    this.#epoch = cursor?.epoch
    this.#version = cursor?.version ?? 0
    stream.followers.add(this)
    channel.join(this)
  }

  /** Whether it accepts a frame that starts at a version: it is at that version of the channel's epoch, and has room. */
  accepts(version: number): boolean {
    return this.#isCurrent && this.#version === version && this.#epoch === this.#channel.epoch
  }

  /** Sends a shared frame if it is at the frame's start and has room; otherwise catches up. */
  receive(frame: Frame): void {
    if (this.accepts(frame.from)) this.#sendFrame(frame)
    else this.pump()
  }

  ping(bytes: Uint8Array): void {
    if (this.#isBehind) this.pump()
    else if (this.#audience === 'one' && this.#isCurrent) this.#stream.write(bytes)
  }

  pump(): void {
    this.#wasPumped = true
    if (!this.#catchingUp) void this.#catchUp()
  }

  /** Ends if it follows this epoch, or none yet. */
  endEpoch(epoch: string | undefined, reason: EndReason): void {
    if (epoch === this.#epoch || this.#epoch === undefined) this.end(reason)
  }

  /** Ends if its token is of an earlier series of this epoch. */
  endTokens(epoch: string, series: number): void {
    if (this.#tokenSeries !== undefined && this.#tokenSeries < series && epoch === this.#epoch)
      this.end('token-expired')
  }

  /** Ends if its token was revoked between the access check and the subscription to the engine. */
  async checkToken(): Promise<void> {
    if (this.#tokenSeries === undefined) return
    const stored = await this.#hub.engine.read(this.#channel.id)
    if (stored) this.endTokens(stored.header.epoch, tokenSeries(stored))
  }

  /** Sends `end` and stops following. */
  end(reason: EndReason): void {
    if (this.#left) return
    this.#stream.write(encode(endMessage(this.#channel.id, reason, this.#audience)))
    this.#finish(reason)
  }

  /** Closes the stream without `end`: the client reconnects. */
  disconnect(): void {
    this.#stream.close()
  }

  leave(): void {
    this.#left = true
    this.#channel.leave(this)
  }

  /** Whether it has all pages, is not catching up, and has room. */
  get #isCurrent(): boolean {
    return this.#complete && !this.#catchingUp && this.#stream.hasRoom
  }

  get #isBehind(): boolean {
    return !this.#left && (!this.#complete || this.#channel.isBeyond(this.#epoch, this.#version))
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true
    try {
      while (this.#isBehind && this.#stream.hasRoom) {
        // A follower that is only a little behind needs no turn: the frame is encoded.
        const kept = this.#complete ? this.#keptFrame : undefined
        if (kept) this.#sendFrame(kept)
        // The read may be older than a wake-up that arrived meanwhile.
        else if (!(await this.#takeStep()) && !this.#wasPumped) return
      }
    } catch {
      // The engine is unavailable. The client reconnects and resumes.
      this.#hub.metrics.count('engine_errors')
      this.#stream.close()
    } finally {
      this.#catchingUp = false
    }
  }

  /** The frame or shared snapshot that continues its version. */
  get #keptFrame(): Frame | undefined {
    const isAtFrame = this.#complete || this.#version === 0
    return isAtFrame ? this.#channel.frameAfter(this.#epoch, this.#version) : undefined
  }

  /** Takes a step, in turn with the stream's other jobs. @returns whether there may be more */
  #takeStep(): Promise<boolean> {
    return this.#stream.readInTurn(() => this.#readAndSend())
  }

  /** Sends a kept frame, or reads the next page from the engine and sends it. @returns whether there may be more */
  async #readAndSend(): Promise<boolean> {
    const read = await inTurn(this.#hub, this.#stream, () => this.#sendKept() ?? this.#readPage())
    if (read === 'done') return true
    return inTurnToSend(this.#hub, this.#stream, () => this.#sendPage(read))
  }

  /** `done` if it left, lost its room, or was sent a frame that is kept by now. */
  #sendKept(): 'done' | undefined {
    if (this.#left || !this.#stream.hasRoom) return 'done'
    const kept = this.#keptFrame
    if (!kept) return undefined
    this.#sendFrame(kept)
    return 'done'
  }

  #readPage(): Promise<Patch | undefined> {
    this.#wasPumped = false
    const cursor = this.#epoch === undefined ? undefined : { epoch: this.#epoch, version: this.#version }
    const page = { view: this.#channel.view, maxBytes: PAGE_BYTES }
    return this.#hub.engine.changesSince(this.#channel.id, cursor, page)
  }

  /** Sends a page. @returns whether it had changes */
  #sendPage(patch: Patch | undefined): boolean {
    if (this.#left) return false
    if (!this.#stream.hasRoomForPage()) return true
    if (!patch) {
      this.end('deleted')
      return false
    }
    if (this.#epoch !== undefined && patch.job.epoch !== this.#epoch) {
      this.#stream.close()
      return false
    }
    const isNews = patch.to > patch.from
    this.#epoch = patch.job.epoch
    this.#version = patch.to
    this.#complete = !patch.more
    this.#channel.observe(patch)
    if (isNews && patch.from === 0 && !patch.more) this.#write(this.#channel.shareSnapshot(patch).bytes(this.#audience))
    else if (isNews) this.#write(encode(patchMessages(patch, this.#channel.view, this.#audience)))
    const reason = patch.more ? undefined : endOf(patch.job.status)
    if (reason && isNews) this.#finish()
    else if (reason) this.end(reason)
    else this.#join()
    return isNews
  }

  #sendFrame(frame: Frame): void {
    this.#epoch = this.#channel.epoch
    this.#version = frame.to
    this.#complete = true
    this.#write(frame.bytes(this.#audience))
    if (frame.ends) this.#finish()
    else this.#join()
  }

  /** Marks the initial state as sent, unless pages are missing. */
  #join(): void {
    if (this.hasJoined || !this.#complete) return
    this.hasJoined = true
    this.#stream.greet(this.#audience === 'one' ? this.#version : undefined)
  }

  #write(bytes: Uint8Array): void {
    this.#hub.metrics.count('deliveries')
    this.#stream.write(bytes)
  }

  /** Stops following: a stream of one job closes, a stream of several continues with the others. */
  #finish(reason?: EndReason): void {
    if (this.#audience === 'one') this.#stream.close()
    else this.#stream.drop(this, reason === 'token-expired')
  }
}
