import type { ProducerEvent } from '../../shared/document/events.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import type { Clock } from '../../shared/time/clock.ts'
import type { Heard } from './changes.ts'
import { QueueDocument, type QueueDocuments } from './documents.ts'
import { documentIdOf, nextLife, type Origin, originOf } from './lives.ts'
import type { QueueSource, SourceJob } from './queue-source.ts'
import { type ReconcilingBatch, reconcile } from './reconcile.ts'

interface ReconcilerOptions {
  readonly documents: QueueDocuments
  readonly source: QueueSource
  /** Names the store of the queue. */
  readonly sourceId: string
  readonly clock: Clock
  readonly heartbeatSeconds: number
  tell(problem: string): void
}

/** Documents that are remembered at most, and deleted ones. */
const DOCUMENTS = 20_000
const DELETED = 10_000
/** Lives of a job: it was started again so often. */
const LIVES = 100
/** Tries to bring a document to the state of its job before the next look. */
const ROUNDS = 6
/** The wait before a worker is asked again to end a job: milliseconds. */
const CANCEL_AGAIN_MS = 1_000
/** Heartbeats in the time that a document promises. */
const HEARTBEATS = 3

/** Brings the documents of single jobs to what their queue says. */
export class JobReconciler {
  readonly #options: ReconcilerOptions
  /** Documents that have not ended, by the ids of their jobs. */
  readonly #known = new Map<string, QueueDocument>()
  /** Ids of documents that were deleted: they are not made again. */
  readonly #deleted = new Set<string>()
  /** Jobs whose workers are asked again to end them. */
  readonly #cancelling = new Set<string>()
  readonly #told = new Set<string>()
  readonly #onAsked: (id: string) => void

  /** @param onAsked called when a watcher has asked for the end of a job */
  constructor(options: ReconcilerOptions, onAsked: (id: string) => void) {
    this.#options = options
    this.#onAsked = onAsked
  }

  get known(): ReadonlyMap<string, QueueDocument> {
    return this.#known
  }

  /** Remembers a document, if it is of this queue. @returns the id of its job */
  adopt(header: JobHeader): string | undefined {
    const origin = originOf(header)
    const { source, sourceId } = this.#options
    if (origin?.source !== sourceId || origin.name !== source.name) return undefined
    if (!this.#known.has(origin.job)) this.#remember(origin.job, header)
    return origin.job
  }

  /**
   * Brings the document of a job to what the queue says now.
   *
   * @returns whether it is done: otherwise more is about to be heard
   * @throws TryLater, and what the source does
   */
  async look(id: string, heard: Heard): Promise<boolean> {
    const { source } = this.#options
    let job = await source.read(id, heard)
    if (!job) return false
    let document = this.#known.get(id)
    const added = document && originOf(document)?.added
    if (document && added !== undefined && job.added !== undefined && added !== job.added) {
      // Its id was used again.
      await this.#bring(id, document, { ...job, ...(heard.end ?? { state: 'failed', message: 'It was removed' }) }, {})
      this.#forget(id, document)
      document = undefined
    }
    document ??= await this.#open(id, job)
    if (!document) return true
    if (document.isStale) await this.#refresh(document)
    const { cancelRequested, status } = document.known
    if ((cancelRequested && document.isLive) || status === 'cancelled') job = await this.#cancel(id, job)
    await this.#bring(id, document, job, heard)
    const isCancelling = document.known.status === 'cancelled' && job.state === 'running'
    if (!document.isLive && !isCancelling) this.#forget(id, document)
    else await this.#beat(document)
    return true
  }

  /** Ends a job in the queue. @returns what it is then */
  async #cancel(id: string, job: SourceJob): Promise<SourceJob> {
    const { source } = this.#options
    if (job.state === 'running') {
      await source.cancel(id)
      this.#cancelAgain(id)
    }
    if (job.state === 'failed') return { ...job, state: 'cancelled' }
    if (job.state === 'pending' && (await source.remove(id))) return { ...job, state: 'cancelled', message: undefined }
    return job
  }

  /** The worker may not have heard it. */
  #cancelAgain(id: string): void {
    if (this.#cancelling.has(id)) return
    this.#cancelling.add(id)
    this.#options.clock.setTimeout(() => {
      this.#cancelling.delete(id)
      this.#onAsked(id)
    }, CANCEL_AGAIN_MS)
  }

  /** The document of a job's present life: creates it, unless there is too little to say. */
  async #open(id: string, job: SourceJob): Promise<QueueDocument | undefined> {
    const { documents, source, sourceId } = this.#options
    const origin: Origin = { name: source.name, source: sourceId, job: id, added: job.added, ended: job.ended }
    const base = documentIdOf(source.name, id)
    let documentId = base
    let before: { retryOf?: string; tries: number } = { tries: 0 }
    for (let life = 0; life < LIVES; life++) {
      if (this.#deleted.has(documentId)) return undefined
      const header = job.toCreate
        ? await this.#create(
            documentId,
            job.toCreate,
            { ...origin, ended: undefined, tries: before.tries || undefined },
            before.retryOf,
          )
        : await documents.read(documentId)
      if (!header) return undefined
      const next = nextLife(header, origin)
      if (!next) return this.#remember(id, header)
      before = next
      documentId = `${base}.${next.suffix}`
    }
    return undefined
  }

  async #create(
    id: string,
    job: NonNullable<SourceJob['toCreate']>,
    queue: Origin,
    retryOf: string | undefined,
  ): Promise<JobHeader | undefined> {
    const { documents } = this.#options
    const whole = { ...job, metadata: { ...job.metadata, queue }, id }
    const made = await documents.create(retryOf === undefined ? whole : { ...whole, retryOf })
    // The one before was deleted, or belongs to another owner.
    const created = made && 'refused' in made && retryOf !== undefined ? await documents.create(whole) : made
    if (created && !('refused' in created)) return created
    this.#tellOnce(id, `Job ${id} is not reported: ${created ? created.refused : 'its id is taken'}`)
    return undefined
  }

  /** Sends what is missing, until nothing is. */
  async #bring(id: string, document: QueueDocument, found: SourceJob, { newest }: Heard): Promise<void> {
    const { documents } = this.#options
    const { source, sourceId } = this.#options
    const origin = originOf(document)
    const queue = { ...origin, name: source.name, source: sourceId, job: id, added: found.added, ended: found.ended }
    const metadata = { ...document.metadata, queue }
    // Documents before this one showed the tries before.
    const before = origin?.tries ?? 0
    const job = {
      ...found,
      attempt: Math.max(1, found.attempt - before),
      failureOf: (attempt: number) => found.failureOf(attempt + before),
      ...(found.ended === undefined ? {} : { metadata }),
    }
    let isPlain = false
    for (let round = 0; round < ROUNDS; round++) {
      const [batch] = document.isLive ? reconcile(job, document.known) : []
      if (!batch) return
      // What adds rows depends on what is there now: others may have sent it, so long ago that the server forgot the key.
      if (batch.key !== undefined && document.isStale) {
        await this.#refresh(document)
        continue
      }
      const key = batch.key ?? (round === 0 ? newest : undefined)
      const outcome = await documents.send(
        document,
        isPlain ? plain(batch) : key === undefined ? batch : { ...batch, key },
      )
      if (outcome === 'applied') {
        if (isPlain) return
        continue
      }
      // Another bridge sent something else under this key, the document has ended, or an event is not valid.
      const hadEnded = !document.isLive
      await this.#refresh(document)
      if (hadEnded || !document.isLive) return
      isPlain = outcome === 'rejected' && round > 1
    }
    this.#tellOnce(id, `Job ${document.id} can't be brought up to date`)
  }

  async #refresh(document: QueueDocument): Promise<void> {
    const header = await this.#options.documents.read(document.id)
    if (header?.epoch === document.epoch) document.read(header)
    else {
      document.delete()
      if (this.#deleted.size >= DELETED) this.#deleted.clear()
      this.#deleted.add(document.id)
    }
  }

  /** Says that a job runs, when nothing else was said for a while; not after a request to cancel, as its worker does not react. */
  async #beat(document: QueueDocument): Promise<void> {
    const { clock, documents, heartbeatSeconds } = this.#options
    const { status, cancelRequested } = document.known
    if (status !== 'running' || cancelRequested) return
    const silentMs = clock.monotonic() - document.reportedAt
    if (silentMs * HEARTBEATS < heartbeatSeconds * 1_000) return
    await documents.send(document, { events: [{ type: 'status', status: 'running' }] })
  }

  #remember(id: string, header: JobHeader): QueueDocument {
    const document = new QueueDocument(header, this.#options.clock.monotonic(), () => this.#onAsked(id))
    const { documents } = this.#options
    const [oldest] = this.#known
    if (this.#known.size >= DOCUMENTS && oldest) this.#forget(...oldest)
    this.#known.set(id, document)
    if (!isTerminalStatus(header.status)) documents.follow(document)
    return document
  }

  #forget(id: string, document: QueueDocument): void {
    if (this.#known.get(id) === document) this.#known.delete(id)
    this.#options.documents.forget(document)
  }

  #tellOnce(about: string, problem: string): void {
    if (this.#told.has(about)) return
    if (this.#told.size >= DELETED) this.#told.clear()
    this.#told.add(about)
    this.#options.tell(problem)
  }
}

/** The same without what may be too large, or not valid. */
function plain({ events }: ReconcilingBatch): ReconcilingBatch {
  return {
    events: events.flatMap((event): ProducerEvent[] => {
      if (event.type !== 'status') return []
      const { type, status, attempt } = event
      return [attempt === undefined ? { type, status } : { type, status, attempt }]
    }),
  }
}
