import { expect } from 'bun:test'
import { headerBytes } from '../../server/jobs/apply-batch.ts'
import type { Applied, Batch, Change, Engine, JobToCreate } from '../../server/jobs/engine.ts'
import type { JobEvent } from '../../shared/document/events.ts'
import type { Job, JobHeader, Patch } from '../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../shared/document/limits.ts'
import { LiveJob } from '../../shared/document/live-job.ts'
import { instantOf, newHeader } from '../arbitraries.ts'

/** Opens an empty engine under the given limits, or the default ones. `release` closes it and removes what it left. */
export type OpenEngine = (limits?: Limits) => Promise<{ engine: Engine; release(): Promise<void> }>

/** The engine of the test that runs. */
export interface Subject {
  readonly engine: Engine
}

export const ALL = { view: 'all', maxBytes: Number.MAX_SAFE_INTEGER } as const
export const HEADER = { view: 'header', maxBytes: Number.MAX_SAFE_INTEGER } as const

let count = 0

/** A word that no other test has: tests share an engine. */
export function unique(word: string): string {
  count += 1
  return `${word}-${count}`
}

/** A job to be created, with an id of its own unless one is given. */
export function newJob(
  fields: Partial<JobHeader> = {},
  more: Pick<JobToCreate, 'liveLimit' | 'keptLimit'> = {},
): JobToCreate {
  const header = newHeader({ id: unique('job'), ...fields })
  const metadataVersion = header.metadata === undefined ? 0 : 1
  const marks = { resultVersion: 0, metadataVersion, stepCount: 0, bytes: headerBytes(header), requestDigest: 'd1' }
  return { header, marks, ...more }
}

/** Creates a job and answers its header. */
export async function created(engine: Engine, fields: Partial<JobHeader> = {}): Promise<JobHeader> {
  const job = newJob(fields)
  const answer = await engine.create(job)
  expect(answer).toMatchObject({ created: true, job: { marks: job.marks } })
  expect('job' in answer && answer.job.header).toEqual(job.header)
  return job.header
}

/** A batch that was taken at the moment of the event at version 2, unless it says otherwise. */
export function batchOf(events: JobEvent[], more: Partial<Batch> = {}): Batch {
  return { events, at: instantOf(2), ...more }
}

/** The header after a batch that must be taken. */
export function taken(applied: Applied): JobHeader {
  if ('refused' in applied) throw new Error(`Refused: ${JSON.stringify(applied.refused)}`)
  return applied.header
}

/** The status of the problem with which a request is refused, and the fields that it names. */
export function refusal(answer: object): { status: number; fields: string[] } | undefined {
  if (!('refused' in answer)) return undefined
  const { status, errors = [] } = answer.refused as { status: number; errors?: { field: string }[] }
  return { status, fields: errors.map(({ field }) => field) }
}

/** Publishes any number of events, in batches as large as the engine takes. */
export async function publish(engine: Engine, id: string, events: JobEvent[]): Promise<void> {
  const size = engine.limits?.batchEvents ?? defaultLimits.batchEvents
  for (let at = 0; at < events.length; at += size) taken(await engine.apply(id, batchOf(events.slice(at, at + size))))
}

/** What `changesSince` answers of a job that is there. */
export async function changes(
  engine: Engine,
  id: string,
  cursor?: { epoch: string; version: number },
  page: Parameters<Engine['changesSince']>[2] = ALL,
): Promise<Patch> {
  const patch = await engine.changesSince(id, cursor, page)
  if (!patch) throw new Error(`No job ${id}`)
  return patch
}

/** The whole document, read at once. */
export async function documentOf(engine: Engine, id: string): Promise<Job> {
  return LiveJob.from(await changes(engine, id)).job
}

/** A document that is read page by page; between the pages anything may happen. */
export class PageReader {
  cursor: { epoch: string; version: number } | undefined
  /** Until a page without `more` has come, the document claims no version. */
  isComplete = false
  #live: LiveJob | undefined
  readonly #engine: Engine
  readonly #id: string

  constructor(engine: Engine, id: string) {
    this.#engine = engine
    this.#id = id
  }

  get live(): LiveJob {
    if (!this.#live) throw new Error('Nothing was read yet')
    return this.#live
  }

  /** Reads and applies the next page. */
  async next(maxBytes: number): Promise<Patch> {
    const patch = await changes(this.#engine, this.#id, this.cursor, { view: 'all', maxBytes })
    if (patch.from === 0) this.#live = LiveJob.from(patch)
    else if (patch.to > patch.from) expect(this.live.applyPatch(patch)).toBe(true)
    this.cursor = { epoch: patch.job.epoch, version: patch.to }
    this.isComplete = !patch.more
    return patch
  }

  /** Reads the rest. */
  async finish(maxBytes: number): Promise<Job> {
    do await this.next(maxBytes)
    while (!this.isComplete)
    return this.live.job
  }
}

/** Gathers what wakes, however late it comes. */
export class WakeLog {
  readonly changes: Change[] = []
  #waiting: (() => void) | undefined

  readonly wake = (change: Change): void => {
    this.changes.push(change)
    this.#waiting?.()
  }

  /** Resolves once a change satisfies a condition; the test's time-out says that none did. */
  async until(condition: (change: Change) => boolean): Promise<void> {
    while (!this.changes.some(condition)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting = resolve
      await promise
    }
  }
}
