import type { Timer } from '../shared/clock.ts'
import { formatCursor } from '../shared/cursor.ts'
import { mergeHeader } from '../shared/fold.ts'
import type { JobHeader, Patch } from '../shared/job.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import type { EndReason, PingData } from '../shared/wire.ts'
import { Connection } from './connection.ts'
import type { ConnectionStatus } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { ServerClock } from './server-clock.ts'

/** A job on a line: who follows it, by what right, and what is known of it. */
export interface Followed {
  readonly id: string
  readonly token: string | undefined
  header: JobHeader | undefined
  /** Why there is nothing more to hear; `undefined` while there may be. */
  over: ConnectionStatus | undefined
  /** Answers in a row that refused this job. */
  refusals: number
  /** Called after any of this, or anything about the line, changed. */
  changed(): void
}

/** Jobs on one line: each, and its token, is named in the stream's URL, and servers take 16 KiB of that. */
const MOST_JOBS = 40
/** Jobs that come or go within this are one change of the stream: milliseconds. */
const GATHER_MS = 20
/** Refusals in a row that are believed: a server that is being rolled out may refuse in passing. */
const REFUSALS = 2
const ASK_AGAIN_MS = 3_000

type Message = { jobId: string } & (
  | { event: 'snapshot'; data: JobHeader }
  | { event: 'patch'; data: Patch }
  | { event: 'end'; data: { reason: EndReason } }
)

/**
 * One connection for the headers of many jobs. A browser gives a server six connections, all tabs together: a page that took one for
 * each job it shows would leave none for anything else.
 */
export class HeaderLine {
  readonly serverClock: ServerClock
  /** When the server was last heard, by its own clock: milliseconds since the epoch. */
  lastSeen: number | undefined
  readonly #base: string
  readonly #environment: Environment
  readonly #connection: Connection
  readonly #jobs = new Set<Followed>()
  #gathering: Timer | undefined

  /** @param base where the server is mounted, without a slash at its end */
  constructor(base: string, environment: Environment) {
    this.#base = base
    this.#environment = environment
    this.serverClock = new ServerClock(environment.clock)
    this.#connection = new Connection({
      // A list of jobs can't be polled in one request, so each job is.
      environment: { ...environment, fetch: () => this.#askAll() },
      pollUrl: () => base,
      receivePoll: () => ({}),
      streamUrl: () => this.#streamUrl(),
      // Where each job is stands in the URL.
      cursor: 'headers',
      receive: (event, data) => {
        if (event === 'ping') this.serverClock.set((data as PingData).at)
        else this.#receive({ event, data, jobId: (data as { jobId: string }).jobId } as Message)
        return {}
      },
      onStatus: () => this.#tellStatus(),
      onHeard: () => {
        this.lastSeen = this.serverClock.now()
      },
    })
  }

  get status(): ConnectionStatus {
    return this.#connection.status
  }

  /** Whether another job fits. */
  get hasRoom(): boolean {
    return this.#jobs.size < MOST_JOBS
  }

  /** Begins to follow a job, or goes on. One that could not be seen is looked for again. */
  join(job: Followed): void {
    this.#jobs.add(job)
    if (job.over === 'ended') return
    job.over = undefined
    job.refusals = 0
    this.#restartSoon()
  }

  leave(job: Followed): void {
    this.#jobs.delete(job)
    if (!job.over) this.#restartSoon()
  }

  #live(): Followed[] {
    return [...this.#jobs].filter(({ over }) => !over)
  }

  /** Those that a stream names. */
  #streamed(): Followed[] {
    return this.#live().filter(({ refusals }) => refusals === 0)
  }

  #restartSoon(): void {
    this.#gathering ??= this.#environment.clock.setTimeout(() => {
      this.#gathering = undefined
      this.#connection.stop()
      if (this.#streamed().length > 0) this.#connection.start()
    }, GATHER_MS)
  }

  #streamUrl(): string {
    const query = new URLSearchParams({ parts: 'header' })
    for (const { id, header, token } of this.#streamed()) {
      query.append('job', header ? `${id}@${formatCursor(header)}` : id)
      if (token !== undefined) query.append('token', token)
    }
    return `${this.#base}/api/progress?${query}`
  }

  #receive({ event, data, jobId }: Message): void {
    for (const job of this.#live()) {
      if (job.id !== jobId) continue
      if (event === 'snapshot') this.#take(job, data)
      else if (event === 'patch') this.#take(job, mergeHeader(job.header ?? {}, data.job))
      else this.#end(job, data.reason)
    }
  }

  #take(job: Followed, header: JobHeader): void {
    const { header: before } = job
    if (before?.epoch === header.epoch && before.version >= header.version) return
    job.header = header
    job.refusals = 0
    this.serverClock.observe(header.updatedAt)
    job.changed()
  }

  #end(job: Followed, reason: EndReason): void {
    if (reason === 'deleted') this.#finish(job, 'not-found')
    else if (reason === 'token-expired') this.#finish(job, 'expired')
    else if (job.header && isTerminalStatus(job.header.status)) this.#finish(job, 'ended')
    // How it ended was not told: another stream does.
    else this.#restartSoon()
  }

  #finish(job: Followed, status: ConnectionStatus): void {
    job.over = status
    job.changed()
    if (this.#streamed().length === 0) this.#connection.stop()
  }

  #tellStatus(): void {
    for (const job of this.#live()) job.changed()
  }

  /** Asks for each job by itself: what stands in for a stream that can't be had. */
  async #askAll(): Promise<Response> {
    const responses = await Promise.all(this.#live().map((job) => this.#ask(job)))
    if (this.#streamed().length === 0) this.#connection.stop()
    // That one job is refused is nothing to the others; what else goes wrong is for the policy to judge.
    return responses.find(({ ok, status }) => !ok && !isRefusal(status)) ?? Response.json({})
  }

  async #ask(job: Followed): Promise<Response> {
    const query = new URLSearchParams({ parts: 'header' })
    if (job.token !== undefined) query.set('token', job.token)
    const url = `${this.#base}/api/jobs/${job.id}?${query}`
    const response = await this.#environment.fetch(url, { cache: 'no-store' })
    if (response.ok) {
      const header: JobHeader = await response.json()
      job.refusals = 0
      this.#take(job, header)
      if (isTerminalStatus(header.status)) this.#finish(job, 'ended')
    } else if (isRefusal(response.status)) this.#refuse(job, response.status)
    return response
  }

  /** Until it is asked for again, a job that was refused is left out of the stream: it would be refused for all. */
  #refuse(job: Followed, status: number): void {
    job.refusals += 1
    if (job.refusals >= REFUSALS) {
      this.#finish(job, status === 404 ? 'not-found' : 'expired')
      return
    }
    this.#environment.clock.setTimeout(() => {
      if (!this.#jobs.has(job)) return
      const restart = () => this.#restartSoon()
      this.#ask(job).then(restart, restart)
    }, ASK_AGAIN_MS)
  }
}

/** Whether a status is about the job that was asked for, and not about the server. */
function isRefusal(status: number): boolean {
  return status === 401 || status === 403 || status === 404
}
