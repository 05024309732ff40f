import type { Job } from '../../shared/document/job.ts'
import { FoldedJob } from './folded-job.ts'
import { type Received, StreamReader } from './stream-reader.ts'

/** What watchers of a job were told, by cursor. */
export type Told = Map<string, Job>

interface Journey {
  /** The servers' addresses. */
  urls: readonly string[]
  /** Path of the stream, below them. */
  path: string
  token: string
  /** Shared with the other watchers of the job. */
  told: Told
  /** Messages after which it moves on to the next server. */
  stay: number
}

/**
 * A client that follows a job through several servers, and takes its cursor along. It stops at once when messages do not follow one another,
 * or when a cursor names another document than somebody was told before.
 */
export class RoamingWatcher {
  /** Streams that it opened. */
  opened = 0
  readonly #journey: Journey
  readonly #folded = new FoldedJob()
  #cursor: string | undefined
  #at: number
  #isStopped = false
  #stream: StreamReader | undefined
  #changed = Promise.withResolvers<void>()

  /** @param first number of the server to begin with */
  constructor(journey: Journey, first: number) {
    this.#journey = journey
    this.#at = first
    void this.#follow()
  }

  /** The document that it has come to. */
  get job(): Job | undefined {
    return this.#cursor === undefined ? undefined : this.#folded.job
  }

  /** Resolves once its document satisfies a condition. @throws what is wrong with what it was told */
  async until(condition: (job: Job) => boolean): Promise<void> {
    while (!this.job || !condition(this.job)) await this.#changed.promise
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#stream?.close()
  }

  async #follow(): Promise<void> {
    const { urls, path, token, stay } = this.#journey
    while (!this.#isStopped) {
      const url = new URL(path, urls[this.#at++ % urls.length])
      const cursor: Record<string, string> = this.#cursor === undefined ? {} : { 'last-event-id': this.#cursor }
      try {
        await using stream = await StreamReader.open(url, { authorization: `Bearer ${token}`, ...cursor })
        this.#stream = stream
        this.opened += 1
        for (let count = 0; count < stay && !this.#isStopped; count++) {
          const message = await stream.next()
          if (!message) break
          if (!this.#take(message)) return
        }
      } catch {
        // The server is away, or was.
        await Bun.sleep(20)
      }
    }
  }

  #take(message: Received): boolean {
    try {
      this.#folded.take(message)
      this.#cursor = message.lastEventId
      const { told } = this.#journey
      const before = told.get(this.#cursor)
      if (!before) told.set(this.#cursor, structuredClone(this.#folded.job))
      else if (!Bun.deepEquals(before, this.#folded.job, true))
        throw new Error(`${this.#cursor} was ${JSON.stringify(before)}, and is ${JSON.stringify(this.#folded.job)}`)
    } catch (error) {
      this.#changed.reject(error)
      return false
    }
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
    this.#changed.promise.catch(() => {})
    return true
  }
}
