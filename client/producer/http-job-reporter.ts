import type { EventFields, ProducerEvent } from '../../shared/document/events.ts'
import type { Job, JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { Batcher, mergeProgress, type Sent } from '../../shared/producer/batcher.ts'
import type { Answer, Failed } from '../../shared/producer/http-sender.ts'
import type { Post, Posted } from '../../shared/producer/outbox.ts'
import { type Clock, type Random, randomId, type Timer } from '../../shared/time/clock.ts'
import { isJob } from '../../shared/wire/answers.ts'
import { jobsPath } from '../../shared/wire/paths.ts'
import { errorText } from './error-text.ts'
import type { Answered, JobReporter, NewAsk, NewJob } from './job-reporter.ts'
import type { ReportedJob, Requested } from './report-channel.ts'

/** `heartbeatSeconds` of jobs that are created without. */
export const HEARTBEAT_SECONDS = 60
/** Heartbeats in that time. */
const HEARTBEATS = 3
/** The shortest and the longest time between two: milliseconds. */
const HEARTBEAT_MS = { least: 1_000, most: 3_600_000 }
/** The longest that `close` takes. */
const CLOSE_MS = 5_000
/** The wait before another try to create a job while the reporter closes. */
const CREATE_AGAIN_MS = 500
/** How often a producer without a WebSocket asks for the answer to an ask: milliseconds. */
const ANSWER_MS = 3_000
/** The time-out of one request. */
const REQUEST_MS = 15_000
/** The same while the reporter closes: a connection that went mute must not take all of the time. */
const CLOSING_REQUEST_MS = 2_000

/** What all jobs of a reporter share. */
export interface JobPort {
  readonly post: Post
  /** Sends a batch. Never rejects. */
  send(batch: Posted): Promise<Sent>
  /** The server has answered to a batch. */
  onReceipt(): void
  /** The server has a job from now on that has said nothing yet. */
  onCreated(job: ReportedJob): void
  /** Whether the server tells what is asked and answered at once. */
  readonly isPushed: boolean
  /** The work has reported something. */
  isActive: boolean
  /** Reports on another job. */
  create(job: NewJob): JobReporter
  /** Takes a job back in that was done, and reports again. */
  resume(job: HttpJobReporter): void
  readonly clock: Clock
  readonly closingClock: Clock
  readonly random: Random
  tell(problem: string): void
}

/** Reports on a job in batches. */
export class HttpJobReporter implements JobReporter, ReportedJob {
  readonly id: string
  readonly #port: JobPort
  readonly #batcher: Batcher
  readonly #stop = new AbortController()
  /** The job to create, until the server has it or refuses it. */
  #toCreate: NewJob | undefined
  /** The epoch of the job that was created; unknown for a job that was created elsewhere. */
  #epoch: string | undefined
  #creating: Promise<Answer<Job | JobHeader> | Failed> | undefined
  #cancel: (() => void) | undefined
  #isCancelled = false
  #asked: Requested | undefined
  /** What the job was created with, if it was here. */
  readonly #created: Partial<NewJob>
  #isOver = false
  /** Whether the status that was reported here last is `running`. */
  #isRunning = false
  /** Asks that the server did not take. */
  readonly #lostAsks = new Set<string>()
  /** It waits for its next try, which may be in another process. */
  #isAgain = false
  readonly #heartbeatMs: number
  #heartbeat: Timer | undefined
  /** Of those who wait for what watchers ask or answer next. */
  readonly #waiting = new Set<() => void>()
  /** When the last event or heartbeat was, on the monotonic clock. */
  #heardAt = 0
  #timeoutMs = REQUEST_MS

  constructor(port: JobPort, id: string, toCreate: NewJob | undefined, onDone: () => void) {
    this.id = id
    this.#port = port
    this.#toCreate = toCreate
    this.#created = toCreate ?? {}
    const ms = ((toCreate?.heartbeatSeconds ?? HEARTBEAT_SECONDS) * 1_000) / HEARTBEATS
    this.#heartbeatMs = Math.min(Math.max(ms, HEARTBEAT_MS.least), HEARTBEAT_MS.most) || HEARTBEAT_MS.most
    const end = () => {
      this.#isOver = true
      this.#stopHeartbeats()
      this.#wake()
      onDone()
    }
    this.#batcher = new Batcher({
      clock: port.clock,
      random: port.random,
      // Jobs that gather for equally long flush at the same moments.
      untilFlush: (ms) => ms && ms - (port.clock.monotonic() % ms),
      send: async (events, key) => {
        const failed = await this.#create()
        if (failed) return failed
        return this.#request(events, (body, signal) =>
          port.send({ job: id, epoch: this.#epoch, key, events: body, signal }),
        )
      },
      onFull: () => port.tell(`Job ${id} drops events: 10,000 wait. Check the server, or await flush() in loops.`),
      onReceipt: (receipt) => {
        this.hear(receipt)
        port.onReceipt()
      },
      onRejected: (reason, event) => {
        port.tell(`A ${event.type} event of job ${id} was not taken: ${reason}`)
        if (event.type !== 'ask') return
        this.#lostAsks.add(event.id)
        this.#wake()
      },
      onClosed: (refusal, jobStatus) => {
        // Nobody is told of a job that was cancelled while it waited.
        if (jobStatus === 'cancelled') this.#stopWork()
        else if (refusal)
          port.tell(`Job ${id} ${this.#toCreate ? 'was not created' : 'takes no more events'}: ${refusal}`)
        this.#toCreate = undefined
        end()
      },
      onIdle: () => {
        if (this.#isOver) end()
        else if (this.#isAgain) onDone()
      },
    })
    // Create the job even without events, so that it shows. If this fails, the first batch tries again.
    if (toCreate) void this.#create()
  }

  progress(fields: EventFields<'progress'>): void {
    const { queuedProgress } = this.#batcher
    // An event for each tick of a fast loop would cost more than its work.
    if (queuedProgress) mergeProgress(queuedProgress, fields)
    else this.#add({ ...fields, type: 'progress' })
    this.#port.isActive = true
  }

  status(fields: EventFields<'status'>): void {
    this.#add({ ...fields, type: 'status' })
    const { status } = fields
    this.#isRunning = status === 'running'
    this.#isOver ||= isTerminalStatus(status)
    this.#stopHeartbeats()
    if (this.#isRunning && !this.#isOver) this.#awaitHeartbeat()
  }

  retry(error?: unknown, fields: Pick<EventFields<'status'>, 'message' | 'attempt'> = {}): void {
    if (error !== undefined) this.error({ message: errorText(error) })
    this.status({ ...fields, status: 'pending' })
    this.#isAgain = true
  }

  fork(title: string, fields: Partial<NewJob> = {}): JobReporter {
    const { kind = 'job', owner } = this.#created
    return this.#port.create({ kind, title, ...(owner === undefined ? {} : { owner }), ...fields, parentId: this.id })
  }

  async ask({ id = randomId(this.#port.random, 20), ...fields }: NewAsk): Promise<Answered> {
    const event: ProducerEvent = { ...fields, id, type: 'ask' }
    this.#add(event)
    for (;;) {
      await this.flush()
      const closed = this.#asked?.answers?.find(({ ask }) => ask === id)
      if (closed) return closed.value === undefined ? { expired: true } : { value: closed.value, by: closed.by ?? '' }
      if (this.#isOver || this.cancelRequested || this.#lostAsks.has(id)) return { ended: true }
      const isSilent = await this.#isSilentFor(ANSWER_MS)
      // The status may have been reported elsewhere. The same ask again changes nothing.
      if (isSilent && !this.#isOver && this.#batcher.idle && !this.#port.isPushed)
        this.#batcher.add(this.#isRunning ? { type: 'status', status: 'running' } : event)
    }
  }

  item(fields: EventFields<'item'>): void {
    this.#add({ ...fields, type: 'item' })
  }

  step(fields: EventFields<'step'>): void {
    this.#add({ ...fields, type: 'step' })
  }

  error(fields: EventFields<'error'>): void {
    this.#add({ ...fields, type: 'error' })
  }

  log(fields: EventFields<'log'>): void {
    this.#add({ ...fields, type: 'log' })
  }

  *track<T>(rows: Iterable<T>, fields: Partial<EventFields<'progress'>> = {}): Generator<T, void, undefined> {
    const { length, size } = rows as { length?: number; size?: number }
    const total = fields.total ?? length ?? size
    const batcher = this.#batcher
    let queued: typeof batcher.queuedProgress
    let done = fields.done ?? 0
    const report = () => {
      this.progress({ ...fields, done, ...(total === undefined ? {} : { total }) })
      queued = batcher.queuedProgress
    }
    report()
    for (const row of rows) {
      yield row
      done += 1
      // Most rows change an event that waits: an event for each costs more than the work of a fast loop.
      if (queued !== undefined && queued === batcher.queuedProgress) queued.done = done
      else report()
    }
  }

  async pausePoint(): Promise<void> {
    if (!this.#isPaused) return
    this.status({ status: 'paused' })
    for (;;) {
      await this.flush()
      if (!this.#isPaused) break
      const isSilent = await this.#isSilentFor(this.#heartbeatMs)
      if (!this.#isPaused) break
      if (isSilent) this.#batcher.add({ type: 'status', status: 'paused' })
    }
    if (!this.cancelRequested && !this.#isOver) this.status({ status: 'running' })
  }

  get #isPaused(): boolean {
    return this.pauseRequested && !this.cancelRequested && !this.#isOver
  }

  /** Resolves when watchers ask or answer something, to `false`; to `true` after `ms`, as without a WebSocket only receipts tell of that. */
  #isSilentFor(ms: number): Promise<boolean> {
    const { closingClock } = this.#port
    return new Promise((resolve) => {
      const end = (isSilent: boolean) => {
        closingClock.clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(isSilent)
      }
      const wake = () => end(false)
      const timer = closingClock.setTimeout(() => end(true), ms)
      this.#waiting.add(wake)
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #add(event: ProducerEvent): void {
    if (this.#isAgain) this.#port.resume(this)
    this.#isAgain = false
    this.#batcher.add(event)
    this.#port.isActive = true
    this.#heardAt = this.#port.clock.monotonic()
  }

  #awaitHeartbeat(): void {
    const { clock } = this.#port
    this.#heartbeat = clock.setTimeout(() => {
      // After a request to cancel only the work itself shows that it goes on: if it does not, the server ends the job.
      const isDue = this.#untilHeartbeat === 0
      if (isDue && this.#batcher.idle && !this.cancelRequested) {
        this.#batcher.add({ type: 'status', status: 'running' })
        void this.#batcher.flush()
      }
      if (isDue) this.#heardAt = clock.monotonic()
      this.#awaitHeartbeat()
    }, this.#untilHeartbeat)
  }

  get #untilHeartbeat(): number {
    return Math.max(0, this.#heardAt + this.#heartbeatMs - this.#port.clock.monotonic())
  }

  #stopHeartbeats(): void {
    this.#port.clock.clearTimeout(this.#heartbeat)
  }

  get epoch(): string | undefined {
    return this.#epoch
  }

  /** Whether the server knows the job, and it has not ended. */
  get isLive(): boolean {
    return !this.#isOver && this.#asked !== undefined
  }

  hear(asked: Requested): void {
    // A push overtakes receipts.
    if (this.#asked && asked.version < this.#asked.version) return
    this.#asked = asked
    if (!this.#isPaused || asked.answers) this.#wake()
    if (asked.cancelRequested) this.#stopWork()
  }

  #stopWork(): void {
    this.#isCancelled = true
    this.#stop.abort(new Error('A watcher cancelled this job'))
  }

  get cancelRequested(): boolean {
    return this.#isCancelled
  }

  get pauseRequested(): boolean {
    return this.#asked?.pauseRequested === true
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get dropped(): number {
    return this.#batcher.dropped
  }

  async flush(): Promise<void> {
    await this.#create()
    await this.#batcher.flush()
  }

  async close(): Promise<void> {
    // These timers keep the process alive between two tries.
    const { closingClock } = this.#port
    const timers: Timer[] = []
    const after = (ms: number) => new Promise<void>((resolve) => timers.push(closingClock.setTimeout(resolve, ms)))
    this.#timeoutMs = CLOSING_REQUEST_MS
    void after(CLOSING_REQUEST_MS).then(this.#cancel)
    await Promise.race([this.#drain(after), after(CLOSE_MS)])
    for (const timer of timers) closingClock.clearTimeout(timer)
    if (this.#toCreate || !this.#batcher.idle)
      this.#port.tell(`The server did not take all of job ${this.id} in time: the rest is lost.`)
    this.#batcher.close()
    this.#cancel?.()
  }

  /** Sends queued events, with as many tries as needed. */
  async #drain(after: (ms: number) => Promise<void>): Promise<void> {
    await this.#batcher.drain()
    // Create the job even without events.
    while ((await this.#create()) && this.#toCreate) await after(CREATE_AGAIN_MS)
  }

  /** Creates the job, unless it exists or was refused. Returns the failure, if any. A repeated request finds the same job. */
  async #create(): Promise<Failed | undefined> {
    if (!this.#toCreate) return undefined
    this.#creating ??= this.#request(this.#toCreate, (body, signal) =>
      this.#port.post(jobsPath, body, {}, isJob, signal),
    )
    const answer = await this.#creating
    this.#creating = undefined
    if ('body' in answer) {
      const { epoch, status } = answer.body
      this.#epoch = epoch
      const isNew = this.#toCreate !== undefined
      this.#toCreate = undefined
      this.hear(answer.body)
      if (!isNew) return undefined
      if (!isTerminalStatus(status)) {
        this.#port.onCreated(this)
        return undefined
      }
      const refused = `it is ${status}.`
      this.#batcher.close(refused, status)
      return { refused, jobStatus: status }
    }
    const failed = 'failed' in answer ? answer.failed : answer
    // Several may have waited for this answer: the first tells.
    if (this.#toCreate && !('retry' in failed))
      this.#batcher.close('refused' in failed ? failed.refused : failed.rejected)
    // A size that is refused is that of the creation, not of the batch that waits for it.
    return { ...failed, tooLarge: undefined }
  }

  /** Sends JSON, for as long as a request may take. Never rejects. */
  async #request<T>(value: unknown, send: (body: string, signal: AbortSignal) => Promise<T>): Promise<T | Failed> {
    let body: string
    try {
      body = JSON.stringify(value)
    } catch (error) {
      return { rejected: `It can't be written as JSON: ${String(error)}` }
    }
    const { clock } = this.#port
    const abort = new AbortController()
    this.#cancel = () => abort.abort()
    const timer = clock.setTimeout(this.#cancel, this.#timeoutMs)
    const answer = await send(body, abort.signal)
    clock.clearTimeout(timer)
    this.#cancel = undefined
    return answer
  }
}
