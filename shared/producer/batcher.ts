import type { EventFields, ProducerEvent } from '../document/events.ts'
import type { JobStatus } from '../document/job.ts'
import { isTerminalStatus } from '../document/selectors.ts'
import { backOff } from '../time/backoff.ts'
import { type Clock, type Random, randomId, type Timer } from '../time/clock.ts'
import type { Receipt } from '../wire/api.ts'

/** The outcome of sending a batch. */
export type Sent =
  | { receipt: Receipt }
  /** Try again, after `afterMs` if a wait was named; `tooLarge`: a proxy refused its size, and the server has not seen it. */
  | { retry: true; afterMs?: number | undefined; tooLarge?: boolean | undefined }
  /** An event in it is too large or not valid; the rest may be accepted. */
  | { rejected: string }
  /** The server accepts no batch of this job, which may have ended. */
  | { refused: string; jobStatus?: JobStatus | undefined }

/** Options of a {@link Batcher}. */
export interface BatcherOptions {
  /** Sends a batch. The `key` is the same for each try of the same batch. */
  send(events: ProducerEvent[], key: string): Promise<Sent>
  clock: Clock
  random: Random
  /** How long to gather events, at most `flushMs`, so that several batchers send together: milliseconds. Omitted: always `flushMs`. */
  untilFlush?(flushMs: number): number
  /** Called with every receipt. */
  onReceipt?(receipt: Receipt): void
  /** Called with the reason when the server or a proxy refuses an event, which is dropped; of a status its other fields are. */
  onRejected?(reason: string, event: ProducerEvent): void
  /**
   * Called when it closes, with the reason if the server accepts nothing more of this job, and its status if it has ended: queued and later
   * events are dropped.
   */
  onClosed?(refusal?: string, jobStatus?: JobStatus): void
  /** Called once, when the queue is full and begins to drop events. */
  onFull?(): void
  /** Called when the queue is empty and nothing is in flight. */
  onIdle?(): void
}

/** The most events in the queue. */
export const QUEUE_LIMIT = 10_000
/** Events in one batch. */
const BATCH_LIMIT = 1_000
const FIRST_FLUSH_MS = 250
/**
 * Back-off between tries, in milliseconds. The longest is short, because a proxy is often back within seconds; a producer retries with one
 * batch, and jitter spreads producers. A server that rejects everything is asked as slowly.
 */
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 5_000
/** After so many rejected events in a row the server is asked with a back-off. */
const MANY_REJECTIONS = 10
/** Tries of a single event that a proxy refuses as too large. */
const LARGE_TRIES = 3
/** No proxy refuses a request of this size, in bytes, because of its size: whatever it says, it is away. */
const SMALL_BYTES = 1_000

/** Events that are sent together, under one key. */
interface Batch {
  events: ProducerEvent[]
  key: string
  /** How often a proxy has refused its size. */
  tooLarge: number
}

type ProgressEvent = Extract<ProducerEvent, { type: 'progress' }>

/**
 * Gathers one job's events into batches, so that reporting costs the work almost nothing.
 *
 * Never throws and never blocks. A queued progress event is replaced by a newer one, unless a status event came in between. The queue holds
 * 10,000 events; then the oldest log lines are dropped and counted, without log lines the oldest events, status events last. Work that never
 * awaits can fill it without an outage: nothing is sent before it does. While the server can't be reached, the same batch is sent again with
 * the same key.
 */
export class Batcher {
  readonly #options: BatcherOptions
  #queue: ProducerEvent[] = []
  /** The queued progress event that a newer one may replace. */
  #progress: ProgressEvent | undefined
  /** How many events of the queue are sent now, without more gathering; negative when a batch took more than these. */
  #due = 0
  /** The batch in flight. */
  #batch: Batch | undefined
  #batchLimit = BATCH_LIMIT
  /** The size of the last batch that was refused, until one as large is accepted; then 0. */
  #refusedSize = 0
  #sending: Promise<void> | undefined
  #timer: Timer | undefined
  #flushMs = FIRST_FLUSH_MS
  #failures = 0
  #rejections = 0
  #isClosed = false
  #isFull = false
  readonly #drained: (() => void)[] = []
  #dropped = 0

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /** Events dropped because the queue was full or the server refused them. */
  get dropped(): number {
    return this.#dropped
  }

  /** The queue is empty and nothing is in flight. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#batch === undefined
  }

  /** The queued progress event, if a newer one would replace it: its fields may be changed until it is sent. */
  get queuedProgress(): ProgressEvent | undefined {
    return this.#progress
  }

  add(event: ProducerEvent): void {
    if (this.#isClosed) {
      this.#dropped += 1
      return
    }
    if (event.type === 'progress' && this.#progress) mergeProgress(this.#progress, event)
    else this.#push({ ...event })
    const isLast = event.type === 'status' && isTerminalStatus(event.status)
    // A full batch gains nothing by waiting, and fast work would overrun the queue.
    const isDue = isLast || this.#queue.length === BATCH_LIMIT
    if (isDue) this.#due = this.#queue.length
    this.#schedule(isDue ? 0 : this.#flushMs)
  }

  /** Sends the queue. Resolves once the server has it or the try has failed; never rejects. */
  async flush(): Promise<void> {
    this.#due = this.#queue.length
    this.#cancelTimer()
    if (!this.#sending && this.#isDue) this.#sending = this.#sendDue()
    await this.#sending
  }

  /**
   * Sends the queue, retrying at least twice a second, whatever waits are asked for. Resolves once the queue is empty, or once it is closed:
   * a caller with little time closes it.
   */
  async drain(): Promise<void> {
    this.#failures = 0
    const drained = new Promise<void>((resolve) => this.#drained.push(resolve))
    await this.flush()
    if (!this.idle && !this.#isClosed) await drained
  }

  /**
   * Drops the batch in flight, queued and later events, and clears the timer.
   *
   * @param refusal why the server accepts nothing more of this job, if that is the cause
   * @param jobStatus with which status it has ended
   */
  close(refusal?: string, jobStatus?: JobStatus): void {
    this.#isClosed = true
    this.#dropped += this.#queue.length + (this.#batch?.events.length ?? 0)
    this.#due = 0
    this.#queue = []
    this.#progress = undefined
    this.#batch = undefined
    this.#cancelTimer()
    this.#settle()
    this.#options.onClosed?.(refusal, jobStatus)
  }

  /** The queue is empty. */
  #settle(): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #push(event: ProducerEvent): void {
    this.#queue.push(event)
    if (event.type === 'progress') this.#progress = event
    else if (event.type === 'status') this.#progress = undefined
    if (this.#queue.length <= QUEUE_LIMIT) return
    const log = this.#queue.findIndex(({ type }) => type === 'log')
    const oldest = log === -1 ? this.#queue.findIndex(({ type }) => type !== 'status') : log
    this.#remove(Math.max(0, oldest), 1)
    this.#dropped += 1
    if (!this.#isFull) this.#options.onFull?.()
    this.#isFull = true
  }

  /** Takes events out of the queue. */
  #remove(at: number, count: number): ProducerEvent[] {
    const events = this.#queue.splice(at, count)
    this.#due -= events.length
    if (events.some((event) => event === this.#progress)) this.#progress = undefined
    return events
  }

  get #isDue(): boolean {
    return this.#batch !== undefined || this.#due > 0
  }

  /** Sends batches until everything due is sent or one fails. */
  async #sendDue(): Promise<void> {
    while (this.#isDue) {
      this.#batch ??= {
        events: this.#remove(0, this.#batchLimit),
        key: randomId(this.#options.random, 20),
        tooLarge: 0,
      }
      const { events } = this.#batch
      const sent = await this.#try(this.#batch)
      // Closed in the meantime.
      if (!this.#batch) break
      if ('retry' in sent) {
        this.#failures += 1
        this.#waitAfter(this.#failures, sent.afterMs)
        break
      }
      if ('refused' in sent) {
        this.close(sent.refused, sent.jobStatus)
        break
      }
      this.#failures = 0
      this.#batch = undefined
      if ('rejected' in sent) this.#divide(events, sent.rejected)
      else this.#confirm(sent.receipt, events.length)
      if (this.#rejections >= MANY_REJECTIONS && !this.idle) {
        this.#waitAfter(this.#rejections - MANY_REJECTIONS + 1)
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

  /** A sender that throws counts as a failure: the reported work must not see the exception. */
  async #try(batch: Batch): Promise<Sent> {
    const { events, key } = batch
    try {
      const sent = await this.#options.send(events, key)
      if (!('retry' in sent && sent.tooLarge)) return sent
      batch.tooLarge += 1
      const { size } = new Blob([JSON.stringify(events)])
      if (events.length === 1 && (batch.tooLarge < LARGE_TRIES || size <= SMALL_BYTES)) return sent
      return { rejected: `A proxy before the server refuses ${size} bytes. Raise its limit.` }
    } catch {
      return { retry: true }
    }
  }

  #confirm(receipt: Receipt, size: number): void {
    this.#rejections = 0
    if (size >= this.#refusedSize) this.#refusedSize = 0
    // Below a refused size, grow by one: otherwise a server with a small limit would refuse every second batch.
    const isNear = this.#refusedSize > 0 && this.#batchLimit * 2 >= this.#refusedSize
    const next = isNear ? this.#batchLimit + 1 : this.#batchLimit * 2
    this.#batchLimit = Math.min(BATCH_LIMIT, next)
    this.#flushMs = receipt.flushMs
    this.#options.onReceipt?.(receipt)
  }

  /** Halves the batch, until the wrong event is alone. */
  #divide(events: ProducerEvent[], reason: string): void {
    const [only, other] = events
    if (only && !other) {
      this.#rejections += 1
      this.#options.onRejected?.(reason, only)
      // Otherwise a job whose result is too large would seem to run for ever.
      if (only.type === 'status' && Object.keys(only).length > 2)
        this.#putBack([{ type: 'status', status: only.status }])
      else this.#dropped += 1
      return
    }
    this.#refusedSize = events.length
    this.#batchLimit = Math.ceil(events.length / 2)
    this.#putBack(events)
  }

  #putBack(events: ProducerEvent[]): void {
    this.#queue.unshift(...events)
    this.#due += events.length
  }

  #waitAfter(tries: number, leastMs = 0): void {
    const random = this.#options.random.number()
    // Draining has a deadline: the server may be back just before it.
    if (this.#drained.length > 0) this.#wait(backOff(1, RETRY_FIRST_MS, RETRY_MAX_MS, random))
    // Named waits are equal for all producers: jitter spreads their return.
    else this.#wait(Math.max(leastMs * (1 + random / 4), backOff(tries, RETRY_FIRST_MS, RETRY_MAX_MS, random)))
  }

  /** Sets the timer, unless an earlier one or a back-off is set. */
  #schedule(ms: number): void {
    if (this.#sending || this.#failures > 0 || this.#isClosed) return
    if (ms === 0) this.#cancelTimer()
    if (this.#timer === undefined) this.#wait(this.#options.untilFlush?.(ms) ?? ms)
  }

  #wait(ms: number): void {
    this.#timer = this.#options.clock.setTimeout(() => void this.flush(), ms)
  }

  #cancelTimer(): void {
    this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** Merges a newer progress event into an older one: fields that it leaves out are kept. */
export function mergeProgress(older: ProgressEvent, newer: EventFields<'progress'>): void {
  for (const key in newer) {
    const value = newer[key as keyof typeof newer]
    if (value !== undefined) (older as Record<string, unknown>)[key] = value
  }
}
