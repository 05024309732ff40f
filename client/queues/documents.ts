import type { ProducerEvent } from '../../shared/document/events.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { Sent } from '../../shared/producer/batcher.ts'
import { failureOf } from '../../shared/producer/http-sender.ts'
import { Outbox } from '../../shared/producer/outbox.ts'
import { backOff } from '../../shared/time/backoff.ts'
import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import { isJob, isProblem, isReceipt } from '../../shared/wire/answers.ts'
import type { JobList, ProblemDocument, Receipt } from '../../shared/wire/api.ts'
import { jobPath, jobsPath, reportPath } from '../../shared/wire/paths.ts'
import type { NewJob } from '../producer/job-reporter.ts'
import { ReportChannel, type ReportedJob } from '../producer/report-channel.ts'
import type { ServerAccess } from '../producer/server-access.ts'
import { afterEvents, type KnownDocument, type ReconcilingBatch } from './reconcile.ts'

/** The time-out of one request: milliseconds. */
const REQUEST_MS = 15_000
/** Pages of live jobs that are read at a start: a principal has no more by default. */
const PAGES = 100

/** A request that may succeed later. */
export class TryLater extends Error {
  override readonly name = 'TryLater'
  /** The server keeps no more jobs of this principal. */
  readonly isFull: boolean

  constructor(problem?: ProblemDocument) {
    super(problem?.detail ?? 'The server is away.')
    this.isFull = STORED.includes(problem?.limit ?? '')
  }
}

/** Limits of what is kept, not of how fast it comes. */
const STORED = ['liveJobs', 'keptJobs', 'keptBytes']

/** What became of a batch. */
type SendOutcome = 'applied' | 'rejected' | 'refused'

/** The document of a job, as it was last heard of. */
export class QueueDocument implements ReportedJob {
  readonly id: string
  readonly epoch: string
  readonly metadata: Readonly<Record<string, unknown>>
  known: KnownDocument
  version: number
  /** Others have written to it: it is read again before anything depends on it. */
  isStale = false
  /** When it was last reported on, on the monotonic clock, and until when its progress may wait. */
  reportedAt: number
  quietUntil = 0
  readonly #onAsked: () => void
  #isDeleted = false

  /** @param now on the monotonic clock. @param onAsked called when a watcher has asked for its end */
  constructor(header: JobHeader, now: number, onAsked: () => void) {
    this.id = header.id
    this.epoch = header.epoch
    this.metadata = header.metadata ?? {}
    this.known = header
    this.version = header.version
    this.reportedAt = now
    this.#onAsked = onAsked
  }

  get isLive(): boolean {
    return !this.#isDeleted && !isTerminalStatus(this.known.status)
  }

  delete(): void {
    this.#isDeleted = true
  }

  hear({ version, cancelRequested }: Pick<Receipt, 'version' | 'cancelRequested'>): void {
    if (version > this.version) this.isStale = true
    if (!cancelRequested || this.known.cancelRequested) return
    this.known = { ...this.known, cancelRequested }
    this.#onAsked()
  }

  read(header: JobHeader): void {
    this.known = header
    this.version = header.version
    this.isStale = false
  }

  /** Events of this bridge were applied, or had been. */
  applied(events: readonly ProducerEvent[], { version, cancelRequested }: Receipt): void {
    this.isStale ||= version !== this.version + events.length
    this.version = version
    this.known = { ...afterEvents(this.known, events), cancelRequested }
  }
}

interface QueueDocumentsOptions {
  readonly access: ServerAccess
  readonly clock: Clock
  readonly random: Random
  /** Whether a WebSocket can tell what watchers ask. */
  readonly mayConnect: boolean
}

/** The documents of a bridge: creates them, reads them, and sends their events. */
export class QueueDocuments {
  readonly #access: ServerAccess
  readonly #clock: Clock
  readonly #random: Random
  readonly #live = new Set<QueueDocument>()
  readonly #outbox: Outbox
  readonly #channel: ReportChannel | undefined

  constructor({ access, clock, random, mayConnect }: QueueDocumentsOptions) {
    this.#access = access
    this.#clock = clock
    this.#random = random
    this.#outbox = new Outbox(access.post)
    if (!mayConnect) return
    this.#channel = new ReportChannel({
      ...{ backOff, failureOf, isProblem, isReceipt },
      // Types know no headers here.
      WebSocket: WebSocket as never,
      url: `${access.url.replace('http', 'ws')}/${reportPath}`,
      token: access.token,
      jobs: this.#live,
      // It stays open: a bridge has to hear of requests at any time.
      takeActivity: () => true,
      post: (batch) => this.#outbox.send(batch),
      clock,
      random,
    })
  }

  /** Whether what watchers ask is told the moment that they ask. */
  get isTold(): boolean {
    return this.#channel !== undefined
  }

  /**
   * Creates a document, or finds it.
   *
   * @returns its header; `undefined` if it is someone else's; or why it can't be
   * @throws TryLater
   */
  async create(job: NewJob): Promise<JobHeader | undefined | { refused: string }> {
    const answer = await this.#timed((signal) => this.#access.post(jobsPath, JSON.stringify(job), {}, isJob, signal))
    if ('body' in answer) return answer.body
    if ('retry' in answer.failed) throw new TryLater(answer.problem)
    if ('rejected' in answer.failed) return { refused: answer.failed.rejected }
    if (answer.problem?.status === 409) return this.read(job.id ?? '')
    return { refused: answer.failed.refused }
  }

  /** @returns the header; `undefined` for a document that is not there or is someone else's. @throws TryLater */
  async read(id: string): Promise<JobHeader | undefined> {
    const path = `${jobPath(id)}?parts=header`
    const answer = await this.#timed((signal) => this.#access.request(path, { signal }, isJob))
    if ('body' in answer) return answer.body
    if ('retry' in answer.failed) throw new TryLater()
    return undefined
  }

  /** The live documents of a kind. @param everyones of all owners: for `jobs:admin`. @throws TryLater */
  async *live(kind: string, everyones: boolean): AsyncGenerator<JobHeader> {
    for (const status of ['pending', 'running', 'paused']) {
      let cursor = ''
      for (let page = 0; page < PAGES; page++) {
        const query = new URLSearchParams({ kind, status, limit: '100', ...(everyones && { owner: '*' }) })
        if (cursor !== '') query.set('cursor', cursor)
        const answer = await this.#timed((signal) =>
          this.#access.request(`${jobsPath}?${query}`, { signal }, isJobList),
        )
        if ('failed' in answer) {
          if ('retry' in answer.failed) throw new TryLater()
          return
        }
        yield* answer.body.jobs
        cursor = answer.body.nextCursor ?? ''
        if (cursor === '') break
      }
    }
  }

  /** Follows what watchers ask of a document. */
  follow(document: QueueDocument): void {
    this.#live.add(document)
    this.#channel?.wake()
    this.#channel?.follow(document)
  }

  forget(document: QueueDocument): void {
    this.#live.delete(document)
  }

  /** Sends a batch. @throws TryLater */
  async send(document: QueueDocument, { events, key }: ReconcilingBatch): Promise<SendOutcome> {
    const { id: job, epoch } = document
    const body = JSON.stringify(events)
    const sent: Sent = await this.#timed((signal) => {
      const posted = { job, epoch, key: key ?? randomId(this.#random, 20), events: body, signal }
      return this.#channel?.send(posted) ?? this.#outbox.send(posted)
    })
    if ('retry' in sent) throw new TryLater()
    if ('receipt' in sent) {
      document.applied(events, sent.receipt)
      document.reportedAt = this.#clock.monotonic()
      document.quietUntil = document.reportedAt + sent.receipt.flushMs
      this.#channel?.wake()
      return 'applied'
    }
    document.isStale = true
    return 'rejected' in sent ? 'rejected' : 'refused'
  }

  close(): void {
    this.#channel?.close()
  }

  async #timed<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const timer = this.#clock.setTimeout(() => abort.abort(), REQUEST_MS)
    const answer = await send(abort.signal)
    this.#clock.clearTimeout(timer)
    return answer
  }
}

function isJobList(value: unknown): value is JobList {
  const { jobs } = Object(value) as { jobs?: unknown }
  return Array.isArray(jobs) && jobs.every(isJob)
}
