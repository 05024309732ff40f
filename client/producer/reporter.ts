import type { EventFields } from '../../shared/document/events.ts'
import type { Job, JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { Batcher, type Receipt } from '../../shared/producer/batcher.ts'
import { type Answer, explainRedirect, type Failed, readAnswer } from '../../shared/producer/http-sender.ts'
import { Outbox, type Post } from '../../shared/producer/outbox.ts'
import { type Clock, type Random, randomId, systemClock, systemRandom, type Timer } from '../../shared/time/clock.ts'
import { shareTimers } from '../../shared/time/shared-timers.ts'
import { isJob } from '../../shared/wire/answers.ts'
import type { CreateJob } from '../../shared/wire/api.ts'
import { jobsPath, withoutSlash } from '../../shared/wire/paths.ts'
import { type GetToken, TokenSource } from '../connection/token-source.ts'

/** The server, and the token to report with. */
export interface ReporterOptions {
  /** The address of the server: `https://progress.example`. */
  url: string
  /** A JWT with the scope `jobs:write`, or a job's publish token. May be left out with `getToken`. */
  token?: string | undefined
  /** Gives a token: asked for the first, for another before the end, and after a refusal. Events wait for it, as while the server is away. */
  getToken?: GetToken | undefined
  /**
   * Called with a sentence about what was refused or lost and why; once a job, when its queue begins to drop events; once, with where the
   * server's address redirects to. Nothing is ever thrown.
   */
  onProblem?: ((problem: string) => void) | undefined
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  clock?: Clock | undefined
  random?: Random | undefined
}

/** A job to be created: what `POST /api/jobs` takes. */
export type NewJob = CreateJob

/**
 * Reports on one job. Every method is synchronous, cheap, and never throws, whatever happens to the server.
 */
export interface JobReporter {
  readonly id: string
  progress(fields: EventFields<'progress'>): void
  status(fields: EventFields<'status'>): void
  item(fields: EventFields<'item'>): void
  step(fields: EventFields<'step'>): void
  error(fields: EventFields<'error'>): void
  log(fields: EventFields<'log'>): void
  /** Whether a watcher has cancelled or paused the job, as of the last batch. */
  readonly cancelRequested: boolean
  readonly pauseRequested: boolean
  /** Aborts when a watcher cancels. */
  readonly signal: AbortSignal
  /** Events dropped because the queue was full or the server refused them. */
  readonly dropped: number
  /** Sends queued events. Resolves once the server has them or the try has failed; never rejects. */
  flush(): Promise<void>
  /** Sends queued events, retrying for five seconds at most, and releases everything. Never rejects. */
  close(): Promise<void>
}

/** Reports on any number of jobs to one server. */
export interface Reporter {
  /** Creates a job, together with its first batch. Without an id one is made here, so there is nothing to wait for. */
  create(job: NewJob): JobReporter
  /** Reports on a job that was created elsewhere. */
  job(id: string): JobReporter
  /** Sends the queued events of every job. Never rejects. */
  flush(): Promise<void>
  /** Sends queued events, retrying for five seconds at most, and releases everything. Never rejects. */
  close(): Promise<void>
}

/** The longest that {@link Reporter.close} takes. */
const CLOSE_MS = 5_000
/** The wait before another try to create a job while the reporter closes. */
const CREATE_AGAIN_MS = 500
/** The time-out of one request. */
const REQUEST_MS = 15_000
/** The same while the reporter closes: a connection that went mute must not take all of the time. */
const CLOSING_REQUEST_MS = 2_000

/**
 * A clock whose timers do not keep the process alive, so that it can end while the server is away.
 */
const unobtrusiveClock: Clock = {
  ...systemClock,
  setTimeout(run, ms) {
    // Timers of browsers are numbers.
    const timer = systemClock.setTimeout(run, ms) as { unref?(): void }
    timer.unref?.()
    return timer
  },
}

/**
 * Reports on jobs over HTTP, from any process.
 *
 * Without a reachable server the reported work runs as before. Call `close` at its end, so that the last events are sent.
 *
 * @example
 * ```ts
 * const reporter = createReporter({ url: 'https://progress.example', token })
 * const job = reporter.create({ kind: 'import', title: 'Contacts' })
 * job.status({ status: 'running' })
 * for (const [done, row] of rows.entries()) {
 *   if (job.cancelRequested) break
 *   await store(row)
 *   job.progress({ done: done + 1, total: rows.length, unit: 'rows' })
 * }
 * job.status({ status: job.cancelRequested ? 'cancelled' : 'completed' })
 * await reporter.close()
 * ```
 */
export function createReporter(options: ReporterOptions): Reporter {
  const tell = (problem: string) => {
    try {
      options.onProblem?.(problem)
    } catch {
      // A failing listener must not break the work.
    }
  }
  const { token, getToken } = options
  const url = withoutSlash(options.url)
  const clock = shareTimers(options.clock ?? unobtrusiveClock)
  const request = options.fetch ?? ((url, init) => fetch(url, init))
  // All jobs and tries meet the same redirect.
  let isRedirectTold = false
  const source = getToken && new TokenSource({ token, getToken, clock, onProblem: tell })
  const post: Post = async (path, body, headers, isOurs, signal) => {
    try {
      const present = source ? await source.get() : token
      const response = await request(`${url}/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${present}`, 'content-type': 'application/json', ...headers },
        body,
        redirect: 'manual',
        signal,
      })
      const redirect = explainRedirect(response, `${url}/${path}`)
      if (redirect && !isRedirectTold) tell(`${url} ${redirect}`)
      isRedirectTold ||= redirect !== undefined
      const answer = await readAnswer(response, isOurs, clock.now())
      if ('failed' in answer && answer.problem?.status === 401) {
        if (source && present) source.refuse(present)
        else tell(`The token was refused: ${answer.problem.detail}`)
      }
      return answer
    } catch {
      return { failed: { retry: true } }
    }
  }
  const port: Port = {
    post,
    outbox: new Outbox(post),
    clock,
    closingClock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    tell,
  }
  const jobs = new Set<HttpJobReporter>()
  const add = (id: string, job?: NewJob) => {
    const reporter = new HttpJobReporter(port, id, job, () => jobs.delete(reporter))
    jobs.add(reporter)
    return reporter
  }
  const all = async (run: (job: HttpJobReporter) => Promise<void>) => {
    await Promise.all([...jobs].map(run))
  }
  return {
    create: ({ id = randomId(port.random, 26), ...job }) => add(id, { ...job, id }),
    job: (id) => add(id),
    flush: () => all((job) => job.flush()),
    close: () => all((job) => job.close()),
  }
}

interface Port {
  readonly post: Post
  readonly outbox: Outbox
  readonly clock: Clock
  readonly closingClock: Clock
  readonly random: Random
  tell(problem: string): void
}

class HttpJobReporter implements JobReporter {
  readonly id: string
  readonly #port: Port
  readonly #batcher: Batcher
  readonly #stop = new AbortController()
  /** The job to create, until the server has it or refuses it. */
  #toCreate: NewJob | undefined
  /** The epoch of the job that was created; unknown for a job that was created elsewhere. */
  #epoch: string | undefined
  #creating: Promise<Answer<Job | JobHeader> | Failed> | undefined
  #cancel: (() => void) | undefined
  #receipt: Receipt | undefined
  #isOver = false
  #timeoutMs = REQUEST_MS

  constructor(port: Port, id: string, toCreate: NewJob | undefined, onDone: () => void) {
    this.id = id
    this.#port = port
    this.#toCreate = toCreate
    this.#batcher = new Batcher({
      clock: port.clock,
      random: port.random,
      // Jobs that gather for equally long flush at the same moments.
      untilFlush: (ms) => ms && ms - (port.clock.monotonic() % ms),
      send: async (events, key) => {
        const failed = await this.#create()
        if (failed) return failed
        return this.#request(events, (body, signal) =>
          port.outbox.send({ job: id, epoch: this.#epoch, key, events: body, signal }),
        )
      },
      onFull: () => port.tell(`Job ${id} drops events: 10,000 wait. Check the server, or await flush() in loops.`),
      onReceipt: (receipt) => {
        this.#receipt = receipt
        if (receipt.cancelRequested) this.#stop.abort(new Error('A watcher cancelled this job'))
      },
      onRejected: (reason, event) => port.tell(`A ${event.type} event of job ${id} was not taken: ${reason}`),
      onClosed: (refusal) => {
        if (refusal) port.tell(`Job ${id} ${this.#toCreate ? 'was not created' : 'takes no more events'}: ${refusal}`)
        this.#toCreate = undefined
        onDone()
      },
      onIdle: () => {
        if (this.#isOver) onDone()
      },
    })
    // Create the job even without events, so that it shows. If this fails, the first batch tries again.
    if (toCreate) void this.#create()
  }

  progress(fields: EventFields<'progress'>): void {
    this.#batcher.add({ ...fields, type: 'progress' })
  }

  status(fields: EventFields<'status'>): void {
    this.#batcher.add({ ...fields, type: 'status' })
    this.#isOver ||= isTerminalStatus(fields.status)
  }

  item(fields: EventFields<'item'>): void {
    this.#batcher.add({ ...fields, type: 'item' })
  }

  step(fields: EventFields<'step'>): void {
    this.#batcher.add({ ...fields, type: 'step' })
  }

  error(fields: EventFields<'error'>): void {
    this.#batcher.add({ ...fields, type: 'error' })
  }

  log(fields: EventFields<'log'>): void {
    this.#batcher.add({ ...fields, type: 'log' })
  }

  get cancelRequested(): boolean {
    return this.#receipt?.cancelRequested === true
  }

  get pauseRequested(): boolean {
    return this.#receipt?.pauseRequested === true
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
      this.#epoch = answer.body.epoch
      this.#toCreate = undefined
      return undefined
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
