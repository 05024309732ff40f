import { backOff } from '../../shared/time/backoff.ts'
import type { Clock, Random, Timer } from '../../shared/time/clock.ts'
import { Changes, type Heard } from './changes.ts'
import { type QueueDocuments, TryLater } from './documents.ts'
import { JobReconciler } from './job-reconciler.ts'
import type { QueueSource } from './queue-source.ts'

interface BridgeOptions {
  readonly documents: QueueDocuments
  readonly clock: Clock
  readonly random: Random
  readonly kind: string
  /** Jobs have owners of their own. */
  readonly hasOwners: boolean
  readonly heartbeatSeconds: number
  /** How long progress waits at most: milliseconds. */
  readonly progressMs: number
  tell(problem: string): void
}

/** Jobs that are looked at together. */
const AT_ONCE = 16
/** Changes that wait at most, and how many of these may be from looking around. */
const CHANGES = 10_000
/** How often running jobs are looked at, in milliseconds; of so many times the first is for all jobs. */
const LOOK_MS = 5_000
const LOOKS = 12
/** The wait after a failure: milliseconds. */
const AGAIN_MS = { first: 250, most: 5_000 }
/** How often progress that waits is looked for: milliseconds. */
const PROGRESS_MS = 50
/** How long the last reports may take: milliseconds. */
const CLOSE_MS = 5_000

/**
 * Brings documents to the state of a queue's jobs. Whatever is heard of a job only leads to a look at it: what is then sent depends on the
 * job and its document alone. So nothing is lost with what was not heard, and several bridges of one queue agree.
 */
export class QueueBridge {
  readonly #options: BridgeOptions
  readonly #changes = new Changes(CHANGES)
  #source: QueueSource | undefined
  #reconciler: JobReconciler | undefined
  #atOnce = 0
  #failures = 0
  #looks = 0
  /** Nothing is looked at before the documents are known, after a failure, and at the end. */
  #isWaiting = true
  #isClosed = false
  #wake: Timer | undefined
  #look: Timer | undefined
  #isQueueTold = false

  constructor(options: BridgeOptions) {
    this.#options = options
  }

  /** Whether no more changes should be heard for now. */
  get isFull(): boolean {
    return this.#changes.isFull
  }

  /** The first stream entry that is not done. */
  get first(): string | undefined {
    return this.#changes.first
  }

  /** Whether more was heard of a job that is looked at. */
  waits(id: string): boolean {
    return this.#changes.waits(id)
  }

  /** A job has to be looked at. */
  hear(id: string, heard: Heard = {}): void {
    if (this.#isClosed) return
    this.#changes.add(id, heard)
    this.#proceed()
  }

  /** Begins. Never rejects. @param sourceId names the store of the queue */
  async start(source: QueueSource, sourceId: string): Promise<void> {
    const { documents, clock, kind, hasOwners, heartbeatSeconds, tell, random } = this.#options
    this.#source = source
    const parts = { documents, source, sourceId, clock, heartbeatSeconds, tell }
    const reconciler = new JobReconciler(parts, (id) => this.hear(id))
    this.#reconciler = reconciler
    for (let failures = 1; !this.#isClosed; failures++) {
      try {
        // Of jobs that the queue has removed nothing else tells.
        for await (const header of documents.live(kind, hasOwners)) {
          const id = reconciler.adopt(header)
          if (id !== undefined) this.#changes.add(id, {})
        }
        break
      } catch {
        await this.#sleep(backOff(failures, AGAIN_MS.first, AGAIN_MS.most, random.number()))
      }
    }
    this.#isWaiting = this.#isClosed
    await this.#lookAround()
  }

  /** Ends, after what waits was sent: within five seconds. Never rejects. */
  async close(): Promise<void> {
    const { clock, documents } = this.#options
    const end = clock.monotonic() + CLOSE_MS
    while (this.#source && !this.#changes.isEmpty && clock.monotonic() < end) await this.#sleep(PROGRESS_MS)
    this.#isClosed = true
    this.#isWaiting = true
    clock.clearTimeout(this.#wake)
    clock.clearTimeout(this.#look)
    documents.close()
    await this.#source?.close().catch(() => {})
  }

  /** Looks at what may have changed without a word. */
  async #lookAround(): Promise<void> {
    const { clock, documents } = this.#options
    const isAll = this.#looks % LOOKS === 0
    this.#looks += 1
    try {
      for (const [id, document] of this.#reconciler?.known ?? []) {
        if (this.#changes.isFull) break
        if (!isAll && document.known.status !== 'running' && document.isLive) continue
        // Without a WebSocket nothing else tells what watchers ask.
        if (isAll || !documents.isTold) document.isStale = true
        this.#changes.add(id, {})
      }
      await this.#source?.proceed()
      if (isAll)
        for await (const id of this.#source?.unseen() ?? []) {
          if (this.#changes.isFull) break
          this.#changes.add(id, {})
        }
    } catch (error) {
      this.#tellOfQueue(error)
      // All is looked at when the store is back.
      this.#looks = 0
    }
    if (this.#isClosed) return
    this.#proceed()
    this.#look = clock.setTimeout(() => void this.#lookAround(), LOOK_MS)
  }

  #proceed(): void {
    while (!this.#isWaiting && this.#atOnce < AT_ONCE) {
      const next = this.#changes.take((id, { isProgress }) => !isProgress || !this.#isQuiet(id))
      if (!next) break
      this.#atOnce += 1
      void this.#run(next.id, next.heard)
    }
    // What is left is progress that waits for its time, or more than can be looked at now.
    if (!this.#isWaiting && this.#atOnce === 0 && !this.#changes.isEmpty) this.#wakeIn(PROGRESS_MS)
  }

  #isQuiet(id: string): boolean {
    const document = this.#reconciler?.known.get(id)
    if (!document) return false
    const { progressMs, clock } = this.#options
    return Math.min(document.quietUntil, document.reportedAt + progressMs) > clock.monotonic()
  }

  async #run(id: string, heard: Heard): Promise<void> {
    try {
      if (await this.#reconciler?.look(id, heard)) this.#changes.done(id)
      else this.#changes.again(id)
      this.#failures = 0
      this.#isQueueTold = false
    } catch (error) {
      if (error instanceof TryLater && error.isFull) {
        this.#changes.done(id)
        this.#options.tell(`${error.message} Jobs of the queue are not shown.`)
      } else {
        this.#changes.again(id)
        this.#waitAfter(error)
      }
    }
    this.#atOnce -= 1
    this.#proceed()
    if (this.#changes.isEmpty) await this.#source?.proceed().catch(() => {})
  }

  /** The server is away, or the store of the queue. */
  #waitAfter(error: unknown): void {
    this.#tellOfQueue(error)
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#failures += 1
    this.#wakeIn(backOff(this.#failures, AGAIN_MS.first, AGAIN_MS.most, this.#options.random.number()))
  }

  #tellOfQueue(error: unknown): void {
    if (error instanceof TryLater || this.#isQueueTold || this.#isClosed) return
    this.#isQueueTold = true
    this.#options.tell(`The queue ${this.#source?.name} can't be read: ${String(error)}`)
  }

  #wakeIn(ms: number): void {
    const { clock } = this.#options
    clock.clearTimeout(this.#wake)
    this.#wake = clock.setTimeout(() => {
      this.#isWaiting = this.#isClosed
      this.#proceed()
    }, ms)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimeout(resolve, ms)
    })
  }
}
