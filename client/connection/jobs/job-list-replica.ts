import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { mergeHeader } from '../../../shared/document/merge-header.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { EndData, ManyJobs } from '../../../shared/wire/messages.ts'
import type { Received } from '../connection.ts'

/** A message of the stream of all of a principal's jobs. `jobId` is left out of messages about the stream itself. */
export type ListMessage =
  | { event: 'snapshot'; data: JobHeader & ManyJobs }
  | { event: 'patch'; data: Patch & ManyJobs }
  | { event: 'end'; data: EndData & Partial<ManyJobs> }

/** The client's copy of a list of jobs: headers only. */
export class JobListReplica {
  readonly #jobs = new Map<string, JobHeader>()
  /** The ids in the order of the list; `undefined` when it has to be sorted anew. */
  #order: string[] | undefined
  /** The jobs that the stream has sent since it was opened; `undefined` once it has sent all. */
  #told: Set<string> | undefined

  /** Newest first, by creation. */
  get jobs(): JobHeader[] {
    // Jobs change all the time, and come or go seldom: thousands are not sorted for each frame.
    this.#order ??= [...this.#jobs.values()]
      .sort((a, b) => (a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : a.createdAt < b.createdAt ? 1 : -1))
      .map(({ id }) => id)
    return this.#order.flatMap((id) => this.#jobs.get(id) ?? [])
  }

  /** A stream starts: it sends every job that has not ended, and the newest that have. */
  begin(): void {
    this.#told = new Set()
  }

  /** A ping: the stream has sent all jobs. Those that it should have sent and did not were deleted in the meantime. */
  settle(): void {
    const told = this.#told
    if (!told) return
    this.#told = undefined
    let oldest: string | undefined
    for (const job of this.#jobs.values()) {
      if (!told.has(job.id) || !isTerminalStatus(job.status)) continue
      if (oldest === undefined || job.createdAt < oldest) oldest = job.createdAt
    }
    for (const job of this.#jobs.values()) {
      const isDue = !isTerminalStatus(job.status) || (oldest !== undefined && job.createdAt > oldest)
      if (isDue && !told.has(job.id)) this.#jobs.delete(job.id)
    }
  }

  receive(message: ListMessage): Received {
    switch (message.event) {
      case 'snapshot': {
        const { jobId, cursor, ...header } = message.data
        this.#told?.add(jobId)
        this.#put(header, true)
        break
      }
      case 'patch': {
        const { jobId, job } = message.data
        const before = this.#jobs.get(jobId)
        this.#told?.add(jobId)
        this.#put(mergeHeader(before?.epoch === job.epoch ? before : {}, job))
        break
      }
      case 'end': {
        const { jobId, reason } = message.data
        if (jobId === undefined) return { ended: reason }
        if (reason === 'deleted' || reason === 'expired') this.#jobs.delete(jobId)
      }
    }
    return {}
  }

  /** Adds a loaded page of jobs. Returns whether any of them is new. */
  add(headers: readonly JobHeader[]): boolean {
    const before = this.#jobs.size
    for (const header of headers) this.#put(header)
    return this.#jobs.size > before
  }

  /** Takes the newest jobs, polled while there is no stream: jobs here that are as new but missing there were deleted. */
  replaceNewest(headers: readonly JobHeader[]): void {
    for (const header of headers) this.#put(header, true)
    const ids = new Set(headers.map(({ id }) => id))
    const oldest = headers.at(-1)?.createdAt ?? ''
    for (const job of this.#jobs.values()) {
      if (job.createdAt > oldest && !ids.has(job.id)) this.#jobs.delete(job.id)
    }
  }

  /**
   * An answer may be older than what the stream has sent meanwhile.
   *
   * @param isWhole it is the server's present state, even if its version is older, as after a restore
   */
  #put(job: JobHeader, isWhole = false): void {
    const known = this.#jobs.get(job.id)
    const before = known?.epoch === job.epoch ? known : undefined
    if (before) {
      const isSame = before.version === job.version && before.updatedAt === job.updatedAt
      if (isSame || (before.version >= job.version && !isWhole)) return
    }
    if (before?.createdAt !== job.createdAt) this.#order = undefined
    this.#jobs.set(job.id, job)
  }
}
