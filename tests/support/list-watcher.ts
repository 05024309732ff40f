import type { Job } from '../../shared/document/job.ts'
import { FoldedJob } from './folded-job.ts'
import { StreamReader } from './stream-reader.ts'

/** A client that follows the list of its principal's jobs at one server, and begins anew whenever its stream ends. */
export class ListWatcher {
  readonly #url: URL
  readonly #token: string
  #jobs = new Map<unknown, FoldedJob>()
  #isStopped = false
  #stream: StreamReader | undefined
  #changed = Promise.withResolvers<void>()

  constructor(url: string, token: string) {
    this.#url = new URL('api/progress', url)
    this.#token = token
    void this.#follow()
  }

  /** Resolves once what it was told of a job, which has no rows, satisfies a condition. @throws what is wrong with what it was told */
  async until(id: string, condition: (job: Job) => boolean): Promise<void> {
    for (;;) {
      const folded = this.#jobs.get(id)
      if (folded && condition(folded.job)) return
      await this.#changed.promise
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#stream?.close()
  }

  async #follow(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await using stream = await StreamReader.open(this.#url, { authorization: `Bearer ${this.#token}` })
        this.#stream = stream
        this.#jobs = new Map()
        for (let message = await stream.next(); message; message = await stream.next()) {
          const { jobId, cursor: _cursor, ...data } = message.data
          const folded = this.#jobs.get(jobId) ?? new FoldedJob()
          try {
            folded.take({ ...message, data })
          } catch (error) {
            return this.#changed.reject(error)
          }
          this.#jobs.set(jobId, folded)
          this.#changed.resolve()
          this.#changed = Promise.withResolvers<void>()
          this.#changed.promise.catch(() => {})
        }
      } catch {
        // The server is away, or was.
        await Bun.sleep(20)
      }
    }
  }
}
