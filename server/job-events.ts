import { Batcher, type Receipt, type Sent } from '../shared/batcher.ts'
import type { Clock, Random } from '../shared/clock.ts'
import type { EventFields, ProducerEvent } from '../shared/events.ts'
import type { Unwatch } from './engine.ts'

/** How a service hears what its watchers asked for. */
export interface JobControl {
  /** Aborts when a watcher asks for the job's end. */
  readonly signal: AbortSignal
  /** Resolves at once, or, while a watcher has asked for a pause, once it is over. Rejects when the job is to end. */
  untilResumed(): Promise<void>
}

/** The control of a job that nobody watches: never aborts, never pauses. */
export const noControl: JobControl = { signal: new AbortController().signal, untilResumed: () => Promise.resolve() }

/** What the emitter needs of the server around it. */
export interface JobEventsPort {
  /** Publishes a batch; never throws. */
  publish(jobId: string, events: ProducerEvent[], key: string): Promise<Sent>
  /** Wakes whenever what the watchers of a job asked for may have changed. */
  watch(jobId: string, wake: (asked: Pick<Receipt, 'cancelRequested' | 'pauseRequested'>) => void): Promise<Unwatch>
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

  emit(jobId: string, event: ProducerEvent): void {
    const valid = this.#port.validate(event)
    if (!valid) {
      this.#dropped += 1
      return
    }
    this.#batcher(jobId).add(valid)
  }

  /** Sends what waits, of one job or of all. Never rejects. */
  async flush(jobId?: string): Promise<void> {
    const batchers = jobId === undefined ? [...this.#batchers.values()] : [this.#batchers.get(jobId)]
    await Promise.all(batchers.map((batcher) => batcher?.flush()))
  }

  /**
   * Does a job's work and reports how it went: `running` before; then `completed` with what the work came to, `failed` with what it
   * threw, or `cancelled` when it stopped because a watcher had asked. Never rejects.
   */
  async run(jobId: string, work: (control: JobControl) => Promise<unknown>): Promise<void> {
    const control = new Control()
    const unwatch = await this.#port.watch(jobId, (asked) => control.update(asked)).catch(() => () => {})
    this.emit(jobId, { type: 'status', status: 'running' })
    await this.flush(jobId)
    control.onPause = (paused) => this.emit(jobId, { type: 'status', status: paused ? 'paused' : 'running' })
    try {
      const result = await work(control)
      this.emit(jobId, { type: 'status', status: 'completed', ...(result === undefined ? {} : { result }) })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (control.signal.aborted) this.emit(jobId, { type: 'status', status: 'cancelled' })
      else this.emit(jobId, { type: 'status', status: 'failed', message })
    } finally {
      unwatch()
      await this.flush(jobId)
    }
  }

  #batcher(jobId: string): Batcher {
    const known = this.#batchers.get(jobId)
    if (known) return known
    const batcher: Batcher = new Batcher({
      clock: this.#port.clock,
      random: this.#port.random,
      send: (events, key) => this.#port.publish(jobId, events, key),
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

class Control implements JobControl {
  onPause: ((paused: boolean) => void) | undefined
  readonly #abort = new AbortController()
  #paused: PromiseWithResolvers<void> | undefined

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  async untilResumed(): Promise<void> {
    this.signal.throwIfAborted()
    if (!this.#paused) return
    this.onPause?.(true)
    await this.#paused.promise
    this.signal.throwIfAborted()
    this.onPause?.(false)
  }

  update(asked: Pick<Receipt, 'cancelRequested' | 'pauseRequested'>): void {
    if (asked.cancelRequested) this.#abort.abort(new Error('A watcher asked for the end of this job'))
    if (asked.pauseRequested && !asked.cancelRequested) this.#paused ??= Promise.withResolvers()
    else {
      this.#paused?.resolve()
      this.#paused = undefined
    }
  }
}

let wired: JobEventEmitter | undefined

/** Wires the helpers below to an emitter. Until then, and with `undefined`, they do nothing. */
export function setJobEvents(emitter: JobEventEmitter | undefined): void {
  wired = emitter
}

/** Reports how much is done. Does nothing when nothing is wired; never throws. */
export function emitProgress(jobId: string, fields: EventFields<'progress'>): void {
  wired?.emit(jobId, { ...fields, type: 'progress' })
}

/** Reports a change of status. Does nothing when nothing is wired; never throws. */
export function emitStatus(jobId: string, fields: EventFields<'status'>): void {
  wired?.emit(jobId, { ...fields, type: 'status' })
}

/** Reports on one unit of the work. Does nothing when nothing is wired; never throws. */
export function emitItem(jobId: string, fields: EventFields<'item'>): void {
  wired?.emit(jobId, { ...fields, type: 'item' })
}

/** Reports on one stage of the work. Does nothing when nothing is wired; never throws. */
export function emitStep(jobId: string, fields: EventFields<'step'>): void {
  wired?.emit(jobId, { ...fields, type: 'step' })
}

/** Reports an error that did not end the job. Does nothing when nothing is wired; never throws. */
export function emitError(jobId: string, fields: EventFields<'error'>): void {
  wired?.emit(jobId, { ...fields, type: 'error' })
}

/** Reports a line of the log. Does nothing when nothing is wired; never throws. */
export function emitLog(jobId: string, fields: EventFields<'log'>): void {
  wired?.emit(jobId, { ...fields, type: 'log' })
}
