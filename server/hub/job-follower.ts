import type { Cursor } from '../../shared/document/cursor.ts'
import type { EndReason } from '../../shared/wire/messages.ts'
import { tokenSeries } from '../auth/access.ts'
import { PAGE_BYTES } from '../jobs/paging.ts'
import { type EventStream, encode, type Follower } from './event-stream.ts'
import type { Frame } from './frame-ring.ts'
import type { HubContext } from './hub.ts'
import type { JobChannel } from './job-channel.ts'
import { type Audience, endMessage, endOf, patchMessages } from './messages.ts'

/**
 * One stream's place in one job: a version, and nothing that grows.
 *
 * Either it takes the frames that the channel shares, or it catches up by itself, from the frames kept or from the engine; never both
 * at once, and always from exactly where it is. That is why nothing is lost or repeated between reading a state and hearing of the next.
 *
 * It follows one life of the job. The next may be another's: the stream closes, and whoever comes back is asked anew who they are.
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
   * Has everything up to `#version`: no page of it is missing. Of a client that comes with a cursor nobody knows: it may have lost its
   * connection between two pages. So the first thing that it is sent is read from the engine.
   */
  #complete = false
  #catchingUp = false
  /** There may be more than when this last asked the engine. */
  #overtaken = false
  #left = false
  hasJoined = false

  /**
   * @param cursor the life to follow, and what the client has of it: at version 0 nothing; without it the first life that is met
   * @param tokenSeries of the token that it was opened with, if it was
   */
  constructor(
    hub: HubContext,
    channel: JobChannel,
    stream: EventStream,
    audience: Audience,
    cursor: Cursor | undefined,
    tokenSeries?: number,
  ) {
    this.#hub = hub
    this.#channel = channel
    this.#stream = stream
    this.#audience = audience
    this.#tokenSeries = tokenSeries
    this.#epoch = cursor?.epoch
    this.#version = cursor?.version ?? 0
    stream.followers.add(this)
    channel.join(this)
  }

  /** Whether it would take a frame that begins at a version: it is there, in this life of the job, and has room. */
  standsAt(version: number): boolean {
    return this.#reads && this.#version === version && this.#epoch === this.#channel.epoch
  }

  /** Takes a shared frame, if it stands where the frame begins and there is room. */
  receive(frame: Frame): void {
    if (this.standsAt(frame.from)) this.#take(frame)
    else this.pump()
  }

  ping(bytes: Uint8Array): void {
    if (this.#lacksSomething) this.pump()
    else if (this.#audience === 'one' && this.#reads) this.#stream.write(bytes)
  }

  pump(): void {
    this.#overtaken = true
    if (!this.#catchingUp) void this.#catchUp()
  }

  /** A life of the job is over. */
  endLife(epoch: string | undefined, reason: EndReason): void {
    if (epoch === this.#epoch || this.#epoch === undefined) this.end(reason)
  }

  /** Tokens of an earlier series are over in this life of the job. */
  endTokens(epoch: string, series: number): void {
    if (this.#tokenSeries !== undefined && this.#tokenSeries < series && epoch === this.#epoch)
      this.end('token-expired')
  }

  /** Ends a stream whose token was ended after the look at the job and before the engine told of changes. */
  async checkToken(): Promise<void> {
    if (this.#tokenSeries === undefined) return
    const stored = await this.#hub.engine.read(this.#channel.id)
    if (stored) this.endTokens(stored.header.epoch, tokenSeries(stored))
  }

  /** Says that the job is over for this stream, and why. */
  end(reason: EndReason): void {
    if (this.#left) return
    this.#stream.write(encode(endMessage(this.#channel.id, reason, this.#audience)))
    this.#finish(reason)
  }

  /** Ends the stream as a lost connection does: nothing is said of the job. */
  disconnect(): void {
    this.#stream.close()
  }

  leave(): void {
    this.#left = true
    this.#channel.leave(this)
  }

  /** Keeps up: what is written leaves at once. */
  get #reads(): boolean {
    return this.#complete && !this.#catchingUp && this.#stream.hasRoom
  }

  get #lacksSomething(): boolean {
    return !this.#left && (!this.#complete || this.#channel.isBeyond(this.#epoch, this.#version))
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true
    try {
      while (this.#lacksSomething && this.#stream.hasRoom) {
        const isAtFrame = this.#complete || this.#version === 0
        const kept = isAtFrame ? this.#channel.keptAfter(this.#epoch, this.#version) : undefined
        this.#overtaken = false
        if (kept) this.#take(kept)
        // What was read may be older than what the channel has heard of meanwhile.
        else if (!(await this.#readPage()) && !this.#overtaken) return
      }
    } catch {
      // The engine is away. The client connects again, and goes on from what it has.
      this.#hub.metrics.count('engine_errors')
      this.#stream.close()
    } finally {
      this.#catchingUp = false
    }
  }

  /** Sends the next page from the engine. `false` when there is nothing to send now. */
  async #readPage(): Promise<boolean> {
    const cursor = this.#epoch === undefined ? undefined : { epoch: this.#epoch, version: this.#version }
    const page = { view: this.#channel.view, maxBytes: PAGE_BYTES }
    const patch = await this.#hub.engine.changesSince(this.#channel.id, cursor, page)
    if (this.#left) return false
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
    if (isNews && patch.from === 0 && !patch.more) this.#write(this.#channel.shareWhole(patch).bytes(this.#audience))
    else if (isNews) this.#write(encode(patchMessages(patch, this.#channel.view, this.#audience)))
    const reason = patch.more ? undefined : endOf(patch.job.status)
    if (reason && isNews) this.#finish()
    else if (reason) this.end(reason)
    else this.#join()
    return isNews
  }

  #take(frame: Frame): void {
    this.#epoch = this.#channel.epoch
    this.#version = frame.to
    this.#complete = true
    this.#write(frame.bytes(this.#audience))
    if (frame.ends) this.#finish()
    else this.#join()
  }

  /** All that there was is sent, unless pages are missing. */
  #join(): void {
    if (this.hasJoined || !this.#complete) return
    this.hasJoined = true
    this.#stream.greet(this.#audience === 'one' ? this.#version : undefined)
  }

  #write(bytes: Uint8Array): void {
    this.#hub.metrics.count('deliveries')
    this.#stream.write(bytes)
  }

  /** The job has said its last word: a stream of one job closes, a stream of several goes on with the others. */
  #finish(reason?: EndReason): void {
    if (this.#audience === 'one') this.#stream.close()
    else this.#stream.drop(this, reason === 'token-expired')
  }
}
