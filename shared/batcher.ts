import { type Clock, type Random, randomId, type Timer } from './clock.ts'
import type { ProducerEvent } from './events.ts'
import { isTerminalStatus } from './selectors.ts'

/** What the server answers to a batch. */
export interface Receipt {
  version: number
  cancelRequested: boolean
  pauseRequested: boolean
  /** Whether anyone follows the job now. */
  watched: boolean
  /** How long to gather events before the next batch: milliseconds. */
  flushMs: number
}

/** How a batch fared. */
export type Sent =
  | { receipt: Receipt }
  /** It may be taken another time, and not before a wait, if the server named one; if it was too large for whoever refused it, in parts. */
  | { retry: true; afterMs?: number | undefined; tooLarge?: true }
  /** Something in it is too large or not valid; the rest of it may be taken. */
  | { rejected: string }
  /** Neither it nor any other batch of this job will be taken. */
  | { refused: string }

export interface BatcherOptions {
  /** Sends a batch. The `key` is the same for each try of the same batch. */
  send(events: ProducerEvent[], key: string): Promise<Sent>
  clock: Clock
  random: Random
  /** Told of every receipt. */
  onReceipt?(receipt: Receipt): void
  /** Told why the server would not take an event, which is dropped. */
  onRejected?(reason: string, event: ProducerEvent): void
  /** Told why the server takes nothing more of this job: what waits and what comes is dropped. */
  onRefused?(reason: string): void
  /** Told when nothing waits and nothing is on its way. */
  onIdle?(): void
}

/** Events that wait for their batch. */
export const QUEUE_LIMIT = 10_000
/** Events in one batch. */
const BATCH_LIMIT = 1_000
const FIRST_FLUSH_MS = 250
/**
 * Waits between two tries: milliseconds. The longest is short, for a proxy that was away for some seconds is back then: a producer tries with
 * one batch, and its jitter keeps it from all others. A server that takes nothing of what it is sent is asked more slowly.
 */
const RETRY_MS = { first: 500, most: 5_000, rejected: 30_000, draining: 500 }
/** Events in a row that the server would not take, after which it is asked more slowly. */
const MANY_REJECTIONS = 10

type ProgressEvent = Extract<ProducerEvent, { type: 'progress' }>

/**
 * Gathers one job's events into batches, so that reporting costs the work next to nothing.
 *
 * Never throws and never blocks. The newest progress replaces the one that waits, unless a status has come between; of the others
 * 10,000 wait, then the oldest log lines are dropped and counted (the oldest events, where there are none; a status last of all). While
 * the server can't be reached, the same batch is tried again, with the same key.
 */
export class Batcher {
  readonly #options: BatcherOptions
  #queue: ProducerEvent[] = []
  /** The progress among those that wait which a newer one may replace. */
  #progress: ProgressEvent | undefined
  /** Events that were ever added to the queue, and that ever left it. */
  #added = 0
  #left = 0
  /** What was added up to here is to be sent now, without more gathering. */
  #target = 0
  /** The batch that is being tried, and its key. */
  #batch: { events: ProducerEvent[]; key: string } | undefined
  #batchLimit = BATCH_LIMIT
  /** The size of the last batch that was not taken, until one as large is. */
  #refusedSize = Number.POSITIVE_INFINITY
  #sending: Promise<void> | undefined
  #timer: Timer | undefined
  #flushMs = FIRST_FLUSH_MS
  #failures = 0
  #rejections = 0
  #isClosed = false
  readonly #drained: (() => void)[] = []
  #dropped = 0

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /** Events that were dropped: for want of room, or because the server would not take them. */
  get dropped(): number {
    return this.#dropped
  }

  /** Nothing waits and nothing is on its way. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#batch === undefined
  }

  add(event: ProducerEvent): void {
    if (this.#isClosed) {
      this.#dropped += 1
      return
    }
    if (event.type === 'progress' && this.#progress) merge(this.#progress, event)
    else this.#push({ ...event })
    const isLast = event.type === 'status' && isTerminalStatus(event.status)
    // Waiting longer would not make a full batch better, and work that is fast would overrun the queue.
    const isDue = isLast || this.#queue.length === BATCH_LIMIT
    if (isDue) this.#target = this.#added
    this.#schedule(isDue ? 0 : this.#flushMs)
  }

  /** Sends what waits. Resolves once the server has it, or has failed to take it; never rejects. */
  async flush(): Promise<void> {
    this.#target = this.#added
    await this.#send()
  }

  /**
   * Sends what waits, again and again, as if nothing had failed before: resolves once nothing waits any more, or once it is closed. Whoever
   * has little time closes it then.
   */
  async drain(): Promise<void> {
    this.#failures = 0
    await this.flush()
    if (this.idle || this.#isClosed) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  /** Drops what waits and whatever comes, and lets go of the timer. */
  close(): void {
    this.#isClosed = true
    this.#dropped += this.#queue.length + (this.#batch?.events.length ?? 0)
    this.#left += this.#queue.length
    this.#queue = []
    this.#progress = undefined
    this.#batch = undefined
    this.#cancelTimer()
    this.#settle()
  }

  /** Nothing waits any more. */
  #settle(): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #push(event: ProducerEvent): void {
    this.#queue.push(event)
    this.#added += 1
    if (event.type === 'progress') this.#progress = event
    else if (event.type === 'status') this.#progress = undefined
    if (this.#queue.length <= QUEUE_LIMIT) return
    const log = this.#queue.findIndex(({ type }) => type === 'log')
    const oldest = log === -1 ? this.#queue.findIndex(({ type }) => type !== 'status') : log
    this.#remove(Math.max(0, oldest), 1)
    this.#dropped += 1
  }

  /** Takes events out of the queue. */
  #remove(at: number, count: number): ProducerEvent[] {
    const events = this.#queue.splice(at, count)
    this.#left += events.length
    if (this.#progress && events.includes(this.#progress)) this.#progress = undefined
    return events
  }

  get #isDue(): boolean {
    return this.#batch !== undefined || (this.#queue.length > 0 && this.#left < this.#target)
  }

  async #send(): Promise<void> {
    this.#cancelTimer()
    if (!this.#sending && this.#isDue) this.#sending = this.#sendDue()
    await this.#sending
  }

  /** Sends batch after batch, until everything that is due has left or one of them could not be sent. */
  async #sendDue(): Promise<void> {
    while (this.#isDue) {
      this.#batch ??= { events: this.#remove(0, this.#batchLimit), key: randomId(this.#options.random, 20) }
      const { events } = this.#batch
      const sent = await this.#try(this.#batch)
      // Closed in the meantime.
      if (!this.#batch) break
      if ('retry' in sent) {
        if (sent.tooLarge && events.length > 1) {
          this.#batch = undefined
          this.#halve(events)
        }
        this.#backOff(sent.afterMs ?? 0)
        break
      }
      this.#failures = 0
      this.#batch = undefined
      if ('refused' in sent) this.#refuse(events, sent.refused)
      else if ('rejected' in sent) this.#divide(events, sent.rejected)
      else this.#confirm(sent.receipt, events.length)
      if (this.#rejections >= MANY_REJECTIONS && !this.idle) {
        this.#backOff(0, RETRY_MS.rejected)
        break
      }
    }
    this.#sending = undefined
    if (this.#queue.length > 0) this.#schedule(this.#flushMs)
    else if (this.idle) {
      this.#settle()
      this.#options.onIdle?.()
    }
  }

  /** A sender that throws is one that failed: the work that is reported on must not hear of it. */
  async #try({ events, key }: { events: ProducerEvent[]; key: string }): Promise<Sent> {
    try {
      return await this.#options.send(events, key)
    } catch {
      return { retry: true }
    }
  }

  #confirm(receipt: Receipt, size: number): void {
    this.#rejections = 0
    if (size >= this.#refusedSize) this.#refusedSize = Number.POSITIVE_INFINITY
    // Towards a size that was refused one by one: a server that takes few at once would else refuse every second batch.
    const next = this.#batchLimit * 2 < this.#refusedSize ? this.#batchLimit * 2 : this.#batchLimit + 1
    this.#batchLimit = Math.min(BATCH_LIMIT, next)
    this.#flushMs = receipt.flushMs
    this.#options.onReceipt?.(receipt)
  }

  #refuse(events: ProducerEvent[], reason: string): void {
    this.#dropped += events.length
    this.close()
    this.#options.onRefused?.(reason)
  }

  /** Sends less of it, until what is wrong stands alone. */
  #divide(events: ProducerEvent[], reason: string): void {
    const [only] = events
    if (events.length === 1 && only) {
      this.#rejections += 1
      this.#options.onRejected?.(reason, only)
      // A job must not seem to run for ever because its result is too large.
      if (only.type === 'status' && Object.keys(only).length > 2)
        this.#putBack([{ type: 'status', status: only.status }])
      else this.#dropped += 1
      return
    }
    this.#halve(events)
  }

  #halve(events: ProducerEvent[]): void {
    this.#refusedSize = events.length
    this.#batchLimit = Math.ceil(events.length / 2)
    this.#putBack(events)
  }

  #putBack(events: ProducerEvent[]): void {
    this.#queue.unshift(...events)
    this.#left -= events.length
  }

  #backOff(leastMs: number, mostMs = RETRY_MS.most): void {
    this.#failures += 1
    // Whoever drains has little time: the server may be back only at its end.
    const longest = this.#drained.length > 0 ? RETRY_MS.draining : mostMs
    const most = Math.min(longest, RETRY_MS.first * 2 ** Math.min(10, this.#failures - 1))
    this.#wait(Math.max(leastMs, most * (0.5 + this.#options.random.number() / 2)))
  }

  /** Sets the timer, unless one is set that comes first or that is there to spare a server in need. */
  #schedule(ms: number): void {
    if (this.#sending || this.#failures > 0 || this.#isClosed) return
    if (ms === 0) this.#cancelTimer()
    if (this.#timer === undefined) this.#wait(ms)
  }

  #wait(ms: number): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined
      this.#target = this.#added
      void this.#send()
    }, ms)
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** Says of the newer progress what it says, and keeps of the older what it leaves out. */
function merge(older: ProgressEvent, newer: ProgressEvent): void {
  for (const [key, value] of Object.entries(newer)) if (value !== undefined) Object.assign(older, { [key]: value })
}
