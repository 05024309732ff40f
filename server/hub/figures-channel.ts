import type { Clock, Timer } from '../../shared/time/clock.ts'
import { encodeMessage } from '../../shared/wire/sse.ts'
import type { Metrics } from '../metrics.ts'
import { type EventStream, encode, type Follower } from './stream/event-stream.ts'

/** How often figures are read while a stream follows them: milliseconds. */
const READ_MS = 2_000

/** Figures, and when they were read: an ISO 8601 time, which alone is no change. */
export interface LiveFigures {
  at: string
}

/** Figures that are computed and not stored. They are read while streams follow them, and encoded once for all of these. */
export class FiguresChannel {
  readonly #clock: Clock
  readonly #metrics: Metrics
  readonly #read: () => Promise<LiveFigures>
  readonly #followers = new Set<FiguresFollower>()
  #timer: Timer | undefined
  #first: Promise<void> | undefined
  #known: string | undefined
  #newest: Uint8Array | undefined

  constructor(clock: Clock, metrics: Metrics, read: () => Promise<LiveFigures>) {
    this.#clock = clock
    this.#metrics = metrics
    this.#read = read
  }

  /** The newest figures as a message; `undefined` until they were read. */
  get newest(): Uint8Array | undefined {
    return this.#newest
  }

  /** Resolves when there are figures to send. Rejects when the first reading fails. */
  get ready(): Promise<void> | undefined {
    return this.#first
  }

  join(follower: FiguresFollower): void {
    this.#followers.add(follower)
    if (this.#followers.size > 1) return
    this.#first = this.#update()
    this.#repeat()
  }

  /** The last one to leave ends the readings, and what they found is forgotten. */
  leave(follower: FiguresFollower): void {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#known = undefined
    this.#newest = undefined
  }

  #repeat(): void {
    const timer = this.#clock.setTimeout(async () => {
      // The store may be back at the next reading.
      await this.#update().catch(() => this.#metrics.count('engine_errors'))
      if (this.#timer === timer && this.#followers.size > 0) this.#repeat()
    }, READ_MS)
    this.#timer = timer
  }

  async #update(): Promise<void> {
    const figures = await this.#read()
    const known = JSON.stringify({ ...figures, at: '' })
    if (this.#followers.size === 0 || known === this.#known) return
    this.#known = known
    this.#newest = encode(encodeMessage({ event: 'snapshot', data: figures }))
    for (const follower of this.#followers) follower.pump()
  }
}

/** A stream's subscription to figures. A slow one skips to the newest. */
export class FiguresFollower implements Follower {
  readonly #channel: FiguresChannel
  readonly #stream: EventStream
  #sent: Uint8Array | undefined

  constructor(channel: FiguresChannel, stream: EventStream) {
    this.#channel = channel
    this.#stream = stream
    stream.followers.add(this)
    channel.join(this)
  }

  get hasJoined(): boolean {
    return this.#sent !== undefined
  }

  pump(): void {
    const { newest } = this.#channel
    if (!newest || newest === this.#sent || !this.#stream.hasRoom) return
    this.#sent = newest
    this.#stream.write(newest)
    this.#stream.greet()
  }

  leave(): void {
    this.#channel.leave(this)
  }
}
