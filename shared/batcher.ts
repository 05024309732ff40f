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

/** How a batch fared: taken, to be tried again, or refused for good. */
export type Sent = { receipt: Receipt } | { retry: true } | { refused: string }

export interface BatcherOptions {
  /** Sends a batch. A `key` is the same for each try of the same batch. MUST NOT throw. */
  send(events: ProducerEvent[], key: string): Promise<Sent>
  clock: Clock
  random: Random
  /** Told of every receipt. */
  onReceipt?(receipt: Receipt): void
  /** Told when the server refused a batch for good: events of this job are dropped from then on. */
  onRefused?(reason: string): void
}

/** Events that wait for their batch, beside the newest progress. */
export const QUEUE_LIMIT = 10_000
/** Events in one batch. */
const BATCH_LIMIT = 1_000
const FIRST_FLUSH_MS = 250
const RETRY_MS = { first: 500, most: 30_000 }

/**
 * Gathers one job's events into batches, so that reporting costs the work next to nothing.
 *
 * Never throws and never blocks. The newest progress replaces the one that waits; of the others 10,000 wait, then the oldest log lines
 * are dropped (and, were there none, the oldest events) and counted. While the server can't be reached, batches are tried again.
 */
export class Batcher {
  readonly #options: BatcherOptions
  #queue: ProducerEvent[] = []
  #sending: Promise<void> | undefined
  #timer: Timer | undefined
  #flushMs = FIRST_FLUSH_MS
  #failures = 0
  #refused = false
  #dropped = 0
  /** The batch that is being tried, and its key. */
  #batch: { events: ProducerEvent[]; key: string } | undefined

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /** Events that were dropped, for want of room or because the server refused them. */
  get dropped(): number {
    return this.#dropped
  }

  /** Nothing waits and nothing is on its way. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#batch === undefined
  }

  add(event: ProducerEvent): void {
    if (this.#refused) {
      this.#dropped += 1
      return
    }
    const waiting =
      event.type === 'progress' ? this.#queue.findLastIndex(({ type }) => type === 'progress' || type === 'status') : -1
    const before = this.#queue[waiting]
    if (before?.type === 'progress') this.#queue[waiting] = { ...before, ...event }
    else this.#push(event)
    const urgent = event.type === 'status' && isTerminalStatus(event.status)
    this.#schedule(urgent ? 0 : this.#flushMs)
  }

  /** Sends what waits. Resolves once the server has it, or has failed to take it; never rejects. */
  async flush(): Promise<void> {
    this.#cancelTimer()
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  #push(event: ProducerEvent): void {
    this.#queue.push(event)
    if (this.#queue.length <= QUEUE_LIMIT) return
    const oldestLog = this.#queue.findIndex(({ type }) => type === 'log')
    this.#queue.splice(Math.max(0, oldestLog), 1)
    this.#dropped += 1
  }

  async #sendAll(): Promise<void> {
    while (this.#batch || this.#queue.length > 0) {
      this.#batch ??= { events: this.#queue.splice(0, BATCH_LIMIT), key: randomId(this.#options.random, 20) }
      const sent = await this.#options.send(this.#batch.events, this.#batch.key)
      if ('retry' in sent) {
        this.#failures += 1
        const wait = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (this.#failures - 1))
        this.#schedule(wait * (0.5 + this.#options.random.number() / 2))
        return
      }
      this.#failures = 0
      if ('refused' in sent) {
        this.#refused = true
        this.#dropped += this.#batch.events.length + this.#queue.length
        this.#queue = []
        this.#batch = undefined
        this.#options.onRefused?.(sent.refused)
        return
      }
      this.#batch = undefined
      this.#flushMs = sent.receipt.flushMs
      this.#options.onReceipt?.(sent.receipt)
    }
  }

  #schedule(ms: number): void {
    if (this.#sending && this.#failures === 0) return
    if (ms === 0) this.#cancelTimer()
    this.#timer ??= this.#options.clock.setTimeout(() => {
      this.#timer = undefined
      void this.flush()
    }, ms)
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
