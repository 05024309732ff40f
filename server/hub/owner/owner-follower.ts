import type { JobHeader } from '../../../shared/document/job.ts'
import type { HubContext } from '../hub.ts'
import { inTurn, inTurnToSend, STEP_BYTES } from '../steps.ts'
import { type EventStream, encode, type Follower } from '../stream/event-stream.ts'
import type { FoundJobs } from './known-jobs.ts'
import type { ListedPage } from './listed-pages.ts'
import { LIST_PAGE, type Listing, type OwnerChannel } from './owner-channel.ts'
import { type OrderedUpdate, snapshotMessages, type UpdateStub, updateMessages } from './sent-updates.ts'

/** Known jobs that are looked at in one step. */
const LOOKS_PER_STEP = 1_000

/** The page after one with `listed` jobs: all live jobs come first, then `LIST_PAGE` ended ones. Bytes limit pages too. */
function nextListing({ live, limit }: Listing, listed: number, cursor: string | undefined): Listing | undefined {
  const left = live ? LIST_PAGE : limit - listed
  if (cursor !== undefined && left > 0) return { live, limit: left, cursor }
  return live ? { live: false, limit: LIST_PAGE } : undefined
}

/** One stream's position in the updates of an owner's jobs. */
export class OwnerFollower implements Follower {
  readonly #hub: HubContext
  readonly #channel: OwnerChannel
  readonly #stream: EventStream
  /** Number of pages that the channel's followers had listed when this one joined. */
  readonly joined: number
  /** Position up to which the stream has every update. */
  position: number
  /** The next page to list: live jobs first, then the newest ended ones. */
  #listing: Listing | undefined = { live: true, limit: LIST_PAGE }
  /** By listed job, when it was listed: later updates are not covered. Dropped once the follower is level with the channel. */
  #listed: Map<string, number> | undefined = new Map()
  /** When it joined, in the channel's order: its list has what was found before. */
  readonly #joinedAt: number
  /** After the list, the known jobs that it has not looked at: other lists may have found some after this one had passed them. */
  #found: FoundJobs | undefined
  #catchingUp = false
  #left = false
  hasJoined = false

  constructor(channel: OwnerChannel, stream: EventStream) {
    this.#hub = channel.hub
    this.#channel = channel
    this.#stream = stream
    this.position = channel.sent
    this.joined = channel.pagesRead
    this.#joinedAt = channel.order
    stream.followers.add(this)
    channel.join(this)
  }

  /** Whether its list is complete: jobs found from then on are updates. */
  get hasListed(): boolean {
    return this.#listing === undefined
  }

  /** Sends a shared frame if it is at the frame's start and has room; otherwise catches up. */
  receive(from: number, to: number, bytes: Uint8Array | undefined): void {
    if (this.#catchingUp) return
    if (bytes && this.position === from && this.#listed === undefined && this.#stream.hasRoom) {
      this.position = to
      this.#write(bytes)
    } else this.pump()
  }

  pump(): void {
    if (!this.#catchingUp) void this.#catchUp()
  }

  /** Closes the stream: the client reconnects. */
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
      while (this.#isReady) {
        if (this.#listing) await this.#list(this.#listing)
        else if (this.#found) await this.#sendFound(this.#found)
        else if (this.position < this.#channel.sent) await this.#sendUpdates()
        else {
          // Otherwise an unsent update has the header of a job that the list skipped.
          if (this.#channel.sent === this.#channel.newest) {
            this.#listed = undefined
            this.hasJoined = true
            this.#stream.greet()
          }
          return
        }
      }
    } catch {
      // The engine is unavailable. The client reconnects.
      this.#hub.metrics.count('engine_errors')
      this.#stream.close()
    } finally {
      this.#catchingUp = false
    }
  }

  /** Whether its stream is open and has room. */
  get #isReady(): boolean {
    return !this.#left && this.#stream.hasRoom
  }

  async #list(listing: Listing): Promise<void> {
    const read = () => (this.#isReady ? this.#channel.list(listing, this) : undefined)
    const page = await inTurn(this.#hub, this.#stream, read)
    if (page) await inTurnToSend(this.#hub, this.#stream, () => this.#sendPage(listing, page))
  }

  #sendPage(listing: Listing, page: ListedPage): void {
    // Without room the page is read again later.
    if (!this.#isReady) return
    const bytes = page.encode((header) => this.#recordListed(header))
    if (bytes) this.#write(bytes)
    this.#listing = nextListing(listing, page.rows.length, page.nextCursor)
    if (this.#listing || this.#left) return
    this.#found = this.#channel.found()
    this.#channel.finish()
  }

  /** Sends jobs that the list passed before others found them, about a page at a time. */
  async #sendFound(jobs: FoundJobs): Promise<void> {
    let text = ''
    while (this.#found && text.length <= STEP_BYTES) {
      const header = await inTurn(this.#hub, this.#stream, () => this.#readFound(jobs))
      if (this.#left) return
      if (header && this.#recordListed(header)) text += await this.#encode(header)
    }
    if (text !== '') this.#write(encode(text))
  }

  /** Reads the next job that another list found after this one had passed it, if there is one among the next few. */
  #readFound(jobs: FoundJobs): Promise<JobHeader | undefined> | undefined {
    for (let looks = 0; looks < LOOKS_PER_STEP; looks++) {
      const { value } = jobs.next()
      if (!value) {
        this.#found = undefined
        return undefined
      }
      if (value.found > Math.max(this.#joinedAt, this.#listed?.get(value.id) ?? 0)) return this.#read(value.id)
    }
    return undefined
  }

  /** Records a listed header. @returns whether it is the newest: otherwise an update of this job follows */
  #recordListed(header: JobHeader): boolean {
    if (!this.#channel.record(header)) return false
    this.#listed?.set(header.id, this.#channel.order)
    return true
  }

  /** Sends the newest header of each job updated after this follower's position, about a page at a time. */
  async #sendUpdates(): Promise<void> {
    let text = ''
    const { sent } = this.#channel
    let position = sent
    for (const entry of this.#channel.sentAfter(this.position)) {
      // Sent by the channel while headers were read: for the next page.
      if (entry.position > sent) break
      if (entry.position > (this.#listed?.get(entry.id) ?? 0)) {
        const message = isComplete(entry) ? this.#encodeUpdate(entry) : this.#readUpdate(entry)
        // Without `await`, because what others were sent before a change is sent before what follows it.
        text += typeof message === 'string' ? message : await message
      }
      if (this.#left) return
      if (text.length > STEP_BYTES) {
        position = entry.position
        break
      }
    }
    this.position = position
    if (text !== '') this.#write(encode(text))
    this.#channel.forget()
  }

  /** Reads a header that is no longer kept. A job that was removed or created again has a later update. */
  async #readUpdate({ id, epoch }: UpdateStub): Promise<string> {
    const header = await inTurn(this.#hub, this.#stream, () => this.#read(id))
    return header?.epoch === epoch ? this.#encode(header) : ''
  }

  #read(id: string): Promise<JobHeader | undefined> | undefined {
    return this.#left ? undefined : this.#channel.newestHeader(id)
  }

  #encode(header: JobHeader): string | Promise<string> {
    return inTurnToSend(this.#hub, this.#stream, () => (this.#left ? '' : snapshotMessages(header)))
  }

  #encodeUpdate(update: OrderedUpdate): string | Promise<string> {
    return inTurnToSend(this.#hub, this.#stream, () => (this.#left ? '' : updateMessages(update, 0)))
  }

  #write(bytes: Uint8Array): void {
    this.#hub.metrics.count('deliveries')
    this.#stream.write(bytes)
  }
}

const isComplete = (entry: OrderedUpdate | UpdateStub): entry is OrderedUpdate =>
  'header' in entry || 'removed' in entry
