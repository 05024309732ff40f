import type { JobHeader } from '../../shared/job.ts'
import { PAGE_BYTES } from '../paging.ts'
import { type EventStream, encode, type Follower } from './event-stream.ts'
import { headerPatch } from './header-patch.ts'
import type { HubContext } from './hub.ts'
import { patchMessages } from './messages.ts'
import { entryMessages, type OwnerChannel } from './owner-channel.ts'

/** Jobs that ended which a stream begins with, beside all that have not. */
const ENDED_JOBS = 100
/** Jobs read from the engine at once. */
const LIST_PAGE = 100

/** One stream's place among the changes of an owner's jobs. */
export class OwnerFollower implements Follower {
  readonly #hub: HubContext
  readonly #channel: OwnerChannel
  readonly #stream: EventStream
  /** The place among the channel's changes up to which the stream has everything. */
  place: number
  /** What is still to be listed: first the jobs that have not ended, then the newest that have. */
  #listing: { live: boolean; cursor?: string } | undefined = { live: true }
  /** The versions that the list brought, until the changes since it began are made good. */
  #listed: Map<string, { epoch: string; version: number }> | undefined = new Map()
  #catchingUp = false
  #left = false

  constructor(hub: HubContext, channel: OwnerChannel, stream: EventStream) {
    this.#hub = hub
    this.#channel = channel
    this.#stream = stream
    this.place = channel.sent
    stream.followers.add(this)
    channel.join(this)
  }

  /** Takes a shared frame, if it stands where the frame begins and there is room. */
  receive(from: number, to: number, bytes: Uint8Array): void {
    if (this.#catchingUp) return
    if (this.place === from && this.#listed === undefined && this.#stream.hasRoom) {
      this.place = to
      this.#write(bytes)
    } else this.pump()
  }

  pump(): void {
    if (!this.#catchingUp) void this.#catchUp()
  }

  leave(): void {
    this.#left = true
    this.#channel.leave(this)
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true
    try {
      while (!this.#left && this.#stream.hasRoom) {
        if (this.#listing) await this.#list(this.#listing)
        else if (this.place < this.#channel.sent) this.#sendChanges()
        else {
          this.#listed = undefined
          return
        }
      }
    } catch {
      // The engine is away. The client connects again.
      this.#hub.metrics.count('engine_errors')
      this.#stream.close()
    } finally {
      this.#catchingUp = false
    }
  }

  async #list(listing: { live: boolean; cursor?: string }): Promise<void> {
    const { owner, parentId } = this.#channel
    const query = { owner, ...(parentId === undefined ? {} : { parentId }), ...listing }
    const page = await this.#hub.engine.list({ ...query, limit: listing.live ? LIST_PAGE : ENDED_JOBS })
    if (this.#left) return
    if (page.rows.length > 0) this.#write(encode(page.rows.map((header) => this.#introduce(header)).join('')))
    if (listing.live) this.#listing = page.nextCursor ? { live: true, cursor: page.nextCursor } : { live: false }
    else this.#listing = undefined
  }

  #introduce(header: JobHeader): string {
    // One that ended between the two lists is in both.
    if (this.#listed?.get(header.id)?.version === header.version) return ''
    this.#listed?.set(header.id, { epoch: header.epoch, version: header.version })
    return patchMessages({ from: 0, to: header.version, job: headerPatch(header, true) }, 'header', 'many')
  }

  /** Sends the newest header of the jobs that changed since this follower's place, about a page of them. */
  #sendChanges(): void {
    let text = ''
    let place = this.place
    for (const entry of this.#channel.sentAfter(this.place)) {
      const listed = this.#listed?.get(entry.header.id)
      const isKnown = listed?.epoch === entry.header.epoch && listed.version >= entry.header.version && !entry.removed
      if (!isKnown) text += entryMessages(entry, 0)
      place = entry.place
      if (text.length > PAGE_BYTES) break
    }
    this.place = text.length > PAGE_BYTES ? place : this.#channel.sent
    if (text !== '') this.#write(encode(text))
    this.#channel.forget()
  }

  #write(bytes: Uint8Array): void {
    this.#hub.metrics.count('deliveries')
    this.#stream.write(bytes)
  }
}
