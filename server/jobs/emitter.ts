import type { EventFields, EventType, ProducerEvent } from '../../shared/document/events.ts'
import { Batcher, type Sent } from '../../shared/producer/batcher.ts'
import type { Clock, Random, Timer } from '../../shared/time/clock.ts'
import type { Receipt } from '../../shared/wire/api.ts'
import type { Unwatch } from './engine.ts'

/** How a service receives the requests of watchers. */
export interface JobControl {
  /** Aborts when a watcher cancels the job or the server ends its work. */
  readonly signal: AbortSignal
  /** Resolves as soon as no pause is requested. Rejects when `signal` has aborted. */
  untilResumed(): Promise<void>
}

/** A control that never aborts and never pauses. */
export const noControl: JobControl = {
  // Created on access: Workers can create none outside a request.
  get signal() {
    return new AbortController().signal
  },
  untilResumed: () => Promise.resolve(),
}

interface RunOptions {
  /** Longest pause before the work ends as failed: milliseconds. For work that holds much memory. */
  longestPauseMs?: number
  /** The job's own. Work that runs repeats its status three times in it, so that the job neither counts as stalled nor fails. */
  heartbeatSeconds?: number
}

/** The requests of a job's watchers, as of a version. */
export type Asked = Pick<Receipt, 'cancelRequested' | 'pauseRequested'> & {
  version?: number
  /** The subscription was made again: the store may have lost versions that were known. */
  isAnew?: boolean
}

/** What the emitter needs from the server. */
interface JobEventsPort {
  /** Publishes a batch; never throws. */
  publish(jobId: string, events: ProducerEvent[], key: string): Promise<Sent>
  /** Calls `wake` whenever the requests of a job's watchers may have changed. */
  watch(jobId: string, wake: (asked: Asked) => void): Promise<Unwatch>
  /** Returns the event to publish, or `undefined` when it is invalid. */
  validate(event: ProducerEvent): ProducerEvent | undefined
  clock: Clock
  random: Random
}

/**
 * Reports on jobs from within the server's process.
 *
 * Synchronous and bounded. Never throws into the work that it reports on.
 */
export class JobEventEmitter {
  readonly #port: JobEventsPort
  readonly #batchers = new Map<string, Batcher>()
  /** Jobs running in this process. */
  readonly #controls = new Map<string, Control>()
  readonly #runs = new Set<Promise<void>>()
  #dropped = 0

  constructor(port: JobEventsPort) {
    this.#port = port
  }

  /** Number of dropped events: invalid, refused by the server, or over the queue's bound. */
  get dropped(): number {
    let dropped = this.#dropped
    for (const batcher of this.#batchers.values()) dropped += batcher.dropped
    return dropped
  }

  /** Reports an event. Drops an invalid one. Never throws. */
  emit(jobId: string, event: ProducerEvent): void {
    this.#emitFirstValid(jobId, [event])
  }

  /** Counts an event that its sender could not construct. */
  drop(): void {
    this.#dropped += 1
  }

  /** Sends the queued events of one job or of all. Never rejects. */
  async flush(jobId?: string): Promise<void> {
    const batchers = jobId === undefined ? [...this.#batchers.values()] : [this.#batchers.get(jobId)]
    await Promise.all(batchers.map((batcher) => batcher?.flush()))
  }

  /**
   * Runs a job's work and reports its status: `running`; then `completed` with the result, `failed` with the error, or `cancelled` if a
   * watcher cancelled it. A result that can't be stored is a failure. Never rejects.
   */
  async run(jobId: string, work: (control: JobControl) => Promise<unknown>, options: RunOptions = {}): Promise<void> {
    const run = this.#run(jobId, work, options)
    this.#runs.add(run)
    await run
    this.#runs.delete(run)
  }

  /** Ends running work as failed, waiting at most `CLOSING_MS` for it, and sends queued events. */
  async close(): Promise<void> {
    for (const control of this.#controls.values()) control.stop()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#port.clock.setTimeout(resolve, CLOSING_MS)
    await Promise.race([Promise.all(this.#runs), promise])
    this.#port.clock.clearTimeout(timer)
    await this.flush()
  }

  async #run(
    jobId: string,
    work: (control: JobControl) => Promise<unknown>,
    { longestPauseMs, heartbeatSeconds }: RunOptions,
  ): Promise<void> {
    const report = (status: 'paused' | 'running') => this.emit(jobId, { type: 'status', status })
    const control = new Control(report, this.#port.clock, longestPauseMs)
    this.#controls.set(jobId, control)
    const unwatch = await this.#port.watch(jobId, (asked) => control.update(asked)).catch(() => () => {})
    this.emit(jobId, { type: 'status', status: 'running' })
    await this.flush(jobId)
    if (heartbeatSeconds !== undefined) control.beat((heartbeatSeconds * 1_000) / HEARTBEATS)
    const ends = await outcomes(work, control)
    unwatch()
    control.clearTimers()
    this.#controls.delete(jobId)
    this.#emitFirstValid(jobId, ends)
    await this.flush(jobId)
  }

  #emitFirstValid(jobId: string, events: readonly ProducerEvent[]): void {
    try {
      for (const event of events) {
        const valid = this.#port.validate(event)
        if (valid) {
          this.#batcher(jobId).add(valid)
          return
        }
      }
    } catch {
      // An event with a getter that throws is invalid.
    }
    this.drop()
  }

  #batcher(jobId: string): Batcher {
    const known = this.#batchers.get(jobId)
    if (known) return known
    const batcher: Batcher = new Batcher({
      clock: this.#port.clock,
      random: this.#port.random,
      send: (events, key) => this.#port.publish(jobId, events, key),
      // Wake-ups may be lost; receipts carry the same requests.
      onReceipt: (receipt) => this.#controls.get(jobId)?.update(receipt),
      onIdle: () => this.#release(jobId, batcher),
    })
    this.#batchers.set(jobId, batcher)
    return batcher
  }

  #release(jobId: string, batcher: Batcher): void {
    if (this.#batchers.get(jobId) !== batcher) return
    this.#batchers.delete(jobId)
    this.#dropped += batcher.dropped
  }
}

/** How work ended: an event, and those to try in turn if it is invalid. */
async function outcomes(
  work: (control: JobControl) => Promise<unknown>,
  control: JobControl,
): Promise<ProducerEvent[]> {
  try {
    const result = await work(control)
    const message = 'The work was done, but its result is too large or not JSON'
    return [
      { type: 'status', status: 'completed', ...(result === undefined ? {} : { result }) },
      { type: 'status', status: 'failed', message },
    ]
  } catch (error) {
    if (control.signal.aborted && !(control.signal.reason instanceof Stopped)) {
      return [{ type: 'status', status: 'cancelled' }]
    }
    const message = messageOf(error)
    return [message, message.slice(0, SHORT_MESSAGE)].map((text) => ({
      type: 'status',
      status: 'failed',
      message: text,
    }))
  }
}

/** Characters kept of a message that is too long. */
const SHORT_MESSAGE = 200

function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error)
  } catch {
    return 'The work failed with an error that has no message'
  }
}

/** Heartbeats within `heartbeatSeconds`. */
const HEARTBEATS = 3

/** How long a stopping server waits for its work to end: milliseconds. */
const CLOSING_MS = 3_000

/** The server itself ended the work: the job has failed and was not cancelled. */
class Stopped extends Error {}

class Control implements JobControl {
  readonly #abort = new AbortController()
  readonly #report: (status: 'paused' | 'running') => void
  #version = 0
  #pause: (PromiseWithResolvers<void> & { isReported: boolean }) | undefined
  readonly #clock: Clock
  readonly #longestPauseMs: number | undefined
  #pauseTimer: Timer | undefined
  #heartbeat: Timer | undefined

  constructor(report: (status: 'paused' | 'running') => void, clock: Clock, longestPauseMs: number | undefined) {
    this.#report = report
    this.#clock = clock
    this.#longestPauseMs = longestPauseMs
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  async untilResumed(): Promise<void> {
    while (this.#pause && !this.signal.aborted) {
      // Reports one pause, however many callers wait.
      if (!this.#pause.isReported) {
        this.#report('paused')
        this.#boundPause()
      }
      this.#pause.isReported = true
      await this.#pause.promise
    }
    this.signal.throwIfAborted()
  }

  /** Ends the work as failed. */
  stop(reason = 'The server stopped before the work was done'): void {
    this.#abort.abort(new Stopped(reason))
    this.#pause?.resolve()
  }

  /** Shows that the work goes on. After a request to cancel only the work itself can. */
  beat(ms: number): void {
    this.#heartbeat = this.#clock.setTimeout(() => {
      const isPaused = this.#pause?.isReported === true
      if (!isPaused && !this.signal.aborted) this.#report('running')
      this.beat(ms)
    }, ms)
  }

  clearTimers(): void {
    this.#clearPauseTimer()
    this.#clock.clearTimeout(this.#heartbeat)
  }

  #clearPauseTimer(): void {
    this.#clock.clearTimeout(this.#pauseTimer)
  }

  #boundPause(): void {
    if (this.#longestPauseMs === undefined) return
    const tooLong = 'The job was paused for too long, and the server released its memory. Start it again.'
    this.#pauseTimer = this.#clock.setTimeout(() => this.stop(tooLong), this.#longestPauseMs)
  }

  /** Applies the requests of watchers, unless newer ones were applied before. */
  update({ version = this.#version, isAnew = false, cancelRequested, pauseRequested }: Asked): void {
    if (version < this.#version && !isAnew) return
    this.#version = version
    if (cancelRequested) this.#abort.abort(new Error('A watcher cancelled this job'))
    if (pauseRequested && !cancelRequested) this.#pause ??= { ...Promise.withResolvers<void>(), isReported: false }
    else if (this.#pause) {
      const { isReported, resolve } = this.#pause
      this.#pause = undefined
      this.#clearPauseTimer()
      if (isReported && !cancelRequested) this.#report('running')
      resolve()
    }
  }
}

let wired: JobEventEmitter | undefined

/** Sets the emitter of the helpers below. Without one they do nothing. */
export function setJobEvents(emitter: JobEventEmitter | undefined): void {
  wired = emitter
}

function report<T extends EventType>(jobId: string, type: T, fields: EventFields<T>): void {
  if (!wired) return
  let event: unknown
  try {
    event = { ...fields, type }
  } catch {
    // A getter of the fields throws.
    wired.drop()
    return
  }
  wired.emit(jobId, event as ProducerEvent)
}

/** Reports progress. Does nothing without an emitter; never throws. */
export function emitProgress(jobId: string, fields: EventFields<'progress'>): void {
  report(jobId, 'progress', fields)
}

/** Reports a change of status. Does nothing without an emitter; never throws. */
export function emitStatus(jobId: string, fields: EventFields<'status'>): void {
  report(jobId, 'status', fields)
}

/** Reports on one unit of the work. Does nothing without an emitter; never throws. */
export function emitItem(jobId: string, fields: EventFields<'item'>): void {
  report(jobId, 'item', fields)
}

/** Reports on one stage of the work. Does nothing without an emitter; never throws. */
export function emitStep(jobId: string, fields: EventFields<'step'>): void {
  report(jobId, 'step', fields)
}

/** Reports an error that did not end the job. Does nothing without an emitter; never throws. */
export function emitError(jobId: string, fields: EventFields<'error'>): void {
  report(jobId, 'error', fields)
}

/** Reports a log line. Does nothing without an emitter; never throws. */
export function emitLog(jobId: string, fields: EventFields<'log'>): void {
  report(jobId, 'log', fields)
}
