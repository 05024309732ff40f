import type { EventFields, EventType, ProducerEvent } from '../../shared/document/events.ts'
import { Batcher, type Receipt, type Sent } from '../../shared/producer/batcher.ts'
import type { Clock, Random, Timer } from '../../shared/time/clock.ts'
import type { Unwatch } from './engine.ts'

/** How a service hears what its watchers asked for. */
export interface JobControl {
  /** Aborts when a watcher asks for the job's end. */
  readonly signal: AbortSignal
  /** Resolves at once, or, while a watcher has asked for a pause, once it is over. Rejects when the job is to end. */
  untilResumed(): Promise<void>
}

/** The control of a job that nobody watches: never aborts, never pauses. */
export const noControl: JobControl = {
  // Made when it is asked for: Workers make none outside of a request.
  get signal() {
    return new AbortController().signal
  },
  untilResumed: () => Promise.resolve(),
}

export interface RunOptions {
  /** Ends work that is paused for longer, as failed: milliseconds. For work that holds much while it waits. */
  longestPauseMs?: number
}

/** What the watchers of a job asked for, as it stands at a version. */
export type Asked = Pick<Receipt, 'cancelRequested' | 'pauseRequested'> & { version?: number }

/** What the emitter needs of the server around it. */
export interface JobEventsPort {
  /** Publishes a batch; never throws. */
  publish(jobId: string, events: ProducerEvent[], key: string): Promise<Sent>
  /** Wakes whenever what the watchers of a job asked for may have changed. */
  watch(jobId: string, wake: (asked: Asked) => void): Promise<Unwatch>
  /** The event as it may be published, or `undefined` when it is not valid. */
  validate(event: ProducerEvent): ProducerEvent | undefined
  clock: Clock
  random: Random
}

/**
 * Reports on jobs from within the server's process.
 *
 * Synchronous, bounded, and silent: it never throws into the work that it reports on.
 */
export class JobEventEmitter {
  readonly #port: JobEventsPort
  readonly #batchers = new Map<string, Batcher>()
  /** The jobs that are run here. */
  readonly #controls = new Map<string, Control>()
  readonly #runs = new Set<Promise<void>>()
  #dropped = 0

  constructor(port: JobEventsPort) {
    this.#port = port
  }

  /** Events that were dropped: invalid, refused by the server, or more than wait. */
  get dropped(): number {
    let dropped = this.#dropped
    for (const batcher of this.#batchers.values()) dropped += batcher.dropped
    return dropped
  }

  /** Reports an event. One that is not valid is dropped. Never throws. */
  emit(jobId: string, event: ProducerEvent): void {
    this.#emitFirstValid(jobId, [event])
  }

  /** Counts an event that its sender could not even put together. */
  drop(): void {
    this.#dropped += 1
  }

  /** Sends what waits, of one job or of all. Never rejects. */
  async flush(jobId?: string): Promise<void> {
    const batchers = jobId === undefined ? [...this.#batchers.values()] : [this.#batchers.get(jobId)]
    await Promise.all(batchers.map((batcher) => batcher?.flush()))
  }

  /**
   * Does a job's work and reports how it went: `running` before; then `completed` with what the work came to, `failed` with what it
   * threw, or `cancelled` when it stopped because a watcher had asked. A result that can't be kept is a failure. Never rejects.
   */
  async run(jobId: string, work: (control: JobControl) => Promise<unknown>, options: RunOptions = {}): Promise<void> {
    const run = this.#run(jobId, work, options)
    this.#runs.add(run)
    await run
    this.#runs.delete(run)
  }

  /** Ends the work that is run here, as failed, and sends what waits. Doesn't wait for work that takes longer than a moment to end. */
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
    { longestPauseMs }: RunOptions,
  ): Promise<void> {
    const report = (status: 'paused' | 'running') => this.emit(jobId, { type: 'status', status })
    const control = new Control(report, this.#port.clock, longestPauseMs)
    this.#controls.set(jobId, control)
    const unwatch = await this.#port.watch(jobId, (asked) => control.update(asked)).catch(() => () => {})
    this.emit(jobId, { type: 'status', status: 'running' })
    await this.flush(jobId)
    const ends = await outcomes(work, control)
    unwatch()
    control.end()
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
      // What throws when it is read is not valid.
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
      // Wake-ups may be lost; an answer says the same.
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

/** How work ended, as an event, and as what is said instead when that is not valid. */
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

/** Characters of a message that are kept when all of it is too long. */
const SHORT_MESSAGE = 200

function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error)
  } catch {
    return 'The work failed, and what it threw has no text'
  }
}

/** How long a server that stops waits for the work in it to end: milliseconds. */
const CLOSING_MS = 3_000

/** Why the server itself ended work. Nobody asked for that: the job has failed. */
class Stopped extends Error {}

class Control implements JobControl {
  readonly #abort = new AbortController()
  readonly #report: (status: 'paused' | 'running') => void
  #version = 0
  #pause: (PromiseWithResolvers<void> & { isReported: boolean }) | undefined
  readonly #clock: Clock
  readonly #longestPauseMs: number | undefined
  #pauseTimer: Timer | undefined

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
      // However many wait, the job pauses once.
      if (!this.#pause.isReported) {
        this.#report('paused')
        this.#boundPause()
      }
      this.#pause.isReported = true
      await this.#pause.promise
    }
    this.signal.throwIfAborted()
  }

  /** The server stops, and with it the work. */
  stop(reason = 'The server was stopped before this was done'): void {
    this.#abort.abort(new Stopped(reason))
    this.#pause?.resolve()
  }

  /** The work is over. */
  end(): void {
    this.#clock.clearTimeout(this.#pauseTimer)
  }

  #boundPause(): void {
    if (this.#longestPauseMs === undefined) return
    const tooLong = 'It was paused for too long, and what it holds in memory is not kept for longer. Start it again.'
    this.#pauseTimer = this.#clock.setTimeout(() => this.stop(tooLong), this.#longestPauseMs)
  }

  /** Takes what watchers asked for, unless something newer was taken before. */
  update({ version = this.#version, cancelRequested, pauseRequested }: Asked): void {
    if (version < this.#version) return
    this.#version = version
    if (cancelRequested) this.#abort.abort(new Error('A watcher cancelled this job'))
    if (pauseRequested && !cancelRequested) this.#pause ??= { ...Promise.withResolvers<void>(), isReported: false }
    else if (this.#pause) {
      const { isReported, resolve } = this.#pause
      this.#pause = undefined
      this.end()
      if (isReported && !cancelRequested) this.#report('running')
      resolve()
    }
  }
}

let wired: JobEventEmitter | undefined

/** Wires the helpers below to an emitter. Until then, and with `undefined`, they do nothing. */
export function setJobEvents(emitter: JobEventEmitter | undefined): void {
  wired = emitter
}

function report<T extends EventType>(jobId: string, type: T, fields: EventFields<T>): void {
  if (!wired) return
  let event: unknown
  try {
    event = { ...fields, type }
  } catch {
    // Fields that throw when they are read.
    wired.drop()
    return
  }
  wired.emit(jobId, event as ProducerEvent)
}

/** Reports how much is done. Does nothing when nothing is wired; never throws. */
export function emitProgress(jobId: string, fields: EventFields<'progress'>): void {
  report(jobId, 'progress', fields)
}

/** Reports a change of status. Does nothing when nothing is wired; never throws. */
export function emitStatus(jobId: string, fields: EventFields<'status'>): void {
  report(jobId, 'status', fields)
}

/** Reports on one unit of the work. Does nothing when nothing is wired; never throws. */
export function emitItem(jobId: string, fields: EventFields<'item'>): void {
  report(jobId, 'item', fields)
}

/** Reports on one stage of the work. Does nothing when nothing is wired; never throws. */
export function emitStep(jobId: string, fields: EventFields<'step'>): void {
  report(jobId, 'step', fields)
}

/** Reports an error that did not end the job. Does nothing when nothing is wired; never throws. */
export function emitError(jobId: string, fields: EventFields<'error'>): void {
  report(jobId, 'error', fields)
}

/** Reports a line of the log. Does nothing when nothing is wired; never throws. */
export function emitLog(jobId: string, fields: EventFields<'log'>): void {
  report(jobId, 'log', fields)
}
