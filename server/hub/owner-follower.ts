import type { JobHeader } from '../../shared/document/job.ts'
import { PAGE_BYTES } from '../jobs/paging.ts'
import { type EventStream, encode, type Follower } from './event-stream.ts'
import type { HubContext } from './hub.ts'
import { LIST_PAGE, type OwnerChannel } from './owner-channel.ts'
import type { Changed } from './told-news.ts'
import { newsMessages, type PlacedNews } from './told-news.ts'

/** A page that is still to be listed. */
interface Listing {
  live: boolean
  limit: number
  cursor?: string
}

/** All jobs that have not ended, and then the newest that have. Pages are bounded by bytes too, so these may take several. */
function nextListing({ live, limit }: Listing, listed: number, cursor: string | undefined): Listing | undefined {
  const left = live ? LIST_PAGE : limit - listed
  if (cursor !== undefined && left > 0) return { live, limit: left, cursor }
  return live ? { live: false, limit: LIST_PAGE } : undefined
}

/** One stream's place among the news of an owner's jobs. */
export class OwnerFollower implements Follower {
  readonly #hub: HubContext
  readonly #channel: OwnerChannel
  readonly #stream: EventStream
  /** The place in the channel up to which the stream has everything. */
  place: number
  /** What is still to be listed: first the jobs that have not ended, then the newest that have. */
  #listing: Listing | undefined = { live: true, limit: LIST_PAGE }
  /** The place of the newest news of each job that the list brought: it has these. Kept until the shared frames are all after the list. */
  #listed: Map<string, number> | undefined = new Map()
  /** The jobs that others listed first: its own list may have been past them by then. */
  readonly #owed = new Set<string>()
  #catchingUp = false
  #left = false
  hasJoined = false

  constructor(hub: HubContext, channel: OwnerChannel, stream: EventStream) {
    this.#hub = hub
    this.#channel = channel
    this.#stream = stream
    this.place = channel.sent
    stream.followers.add(this)
    channel.join(this)
  }

  /** Whether its list is complete: what is found from then on is news to it. */
  get hasListed(): boolean {
    return this.#listing === undefined
  }

  /** Notes a job that is not told as news: the follower reads it after its list, unless that brings the newest of it. */
  owe(id: string): void {
    this.#owed.add(id)
  }

  /** Takes a shared frame, if it stands where the frame begins and there is room. */
  receive(from: number, to: number, bytes: Uint8Array | undefined): void {
    if (this.#catchingUp) return
    if (bytes && this.place === from && this.#listed === undefined && this.#stream.hasRoom) {
      this.place = to
      this.#write(bytes)
    } else this.pump()
  }

  pump(): void {
    if (!this.#catchingUp) void this.#catchUp()
  }

  /** Ends the stream as a lost connection does. */
  disconnect(): void {
    this.#stream.close()
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
        else if (this.#owed.size > 0) await this.#sendOwed()
        else if (this.place < this.#channel.sent) await this.#sendNews()
        else {
          // Else there are news of a job that the list left out for them.
          if (this.#channel.sent === this.#channel.newest) {
            this.#listed = undefined
            this.hasJoined = true
            this.#stream.greet()
          }
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

  async #list(listing: Listing): Promise<void> {
    const { rows, nextCursor } = await this.#hub.engine.list(this.#channel.query(listing))
    if (this.#left) return
    const text = rows.map((header) => this.#introduce(header)).join('')
    if (text !== '') this.#write(encode(text))
    this.#listing = nextListing(listing, rows.length, nextCursor)
  }

  /** Sends jobs that the list was past when others found them, about a page of them. */
  async #sendOwed(): Promise<void> {
    let text = ''
    for (const id of this.#owed) {
      const header = await this.#channel.newestHeader(id)
      if (this.#left) return
      this.#owed.delete(id)
      if (header) text += this.#introduce(header)
      if (text.length > PAGE_BYTES) break
    }
    if (text !== '') this.#write(encode(text))
  }

  #introduce(header: JobHeader): string {
    if (!this.#channel.learn(header)) return ''
    this.#owed.delete(header.id)
    this.#listed?.set(header.id, this.#channel.newest)
    const { id, epoch } = header
    return newsMessages({ id, epoch, header, from: 0, bulkTouched: true }, 0)
  }

  /** Sends the newest header of the jobs that have news after this follower's place, about a page of them. */
  async #sendNews(): Promise<void> {
    let text = ''
    const { sent } = this.#channel
    let place = sent
    for (const entry of this.#channel.sentAfter(this.place)) {
      // Told while headers were read: the next page.
      if (entry.place > sent) break
      if (entry.place > (this.#listed?.get(entry.id) ?? 0))
        text += isWhole(entry) ? newsMessages(entry, 0) : await this.#read(entry)
      if (this.#left) return
      if (text.length > PAGE_BYTES) {
        place = entry.place
        break
      }
    }
    this.place = place
    if (text !== '') this.#write(encode(text))
    this.#channel.forget()
  }

  /** A header that is not kept any more. Of a job that was removed since, or changed again, there are other news. */
  async #read({ id, epoch }: Changed): Promise<string> {
    const header = await this.#channel.newestHeader(id)
    if (header?.epoch !== epoch) return ''
    return newsMessages({ id, epoch, header, from: 0, bulkTouched: true }, 0)
  }

  #write(bytes: Uint8Array): void {
    this.#hub.metrics.count('deliveries')
    this.#stream.write(bytes)
  }
}

const isWhole = (entry: PlacedNews | Changed): entry is PlacedNews => 'header' in entry || 'removed' in entry
