import type { Cursor } from '../../shared/document/cursor.ts'
import type { AppliedEvent, JobEvent } from '../../shared/document/events.ts'
import type { ErrorRow, Item, JobHeader, JobStatus, LogRow, Patch, Step } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import type { Problem } from '../errors.ts'

/** What the server keeps of a job beside its document: nothing that a watcher sees. */
export interface Marks {
  /** The version that last changed `result`. */
  resultVersion: number
  /** The version that last changed `metadata`. */
  metadataVersion: number
  /** How many steps the job has. */
  stepCount: number
  /** Bytes of its header, steps and items, as counted against the limit. */
  bytes: number
  /** A digest of the request that created it, to tell a repeated request from another. */
  requestDigest: string
  /** When a watcher asked for its end: ISO 8601. */
  cancelRequestedAt?: string
  /** In which generations its events were applied, and from which version on each: the newest few. See `generations.ts`. */
  generations?: [id: string, from: number][]
  /** How often all tokens of the job were ended: those made before hold no more. Left out, never. */
  tokenSeries?: number
}

/** A job as engines keep it, without its rows. */
export interface StoredJob {
  header: JobHeader
  marks: Marks
}

/** A job to be created: its document at version 1, complete. */
export interface JobToCreate extends StoredJob {
  /** Refuses the job when its creator has this many that have not ended. */
  liveLimit?: number
  /** Refuses the job when its creator's jobs that are kept are so many, or have so many bytes. */
  keptLimit?: { jobs: number; bytes: number }
}

export type Created =
  | { created: true; job: StoredJob }
  /** The id is taken; `job` is the one that has it. */
  | { created: false; job: StoredJob }
  | { refused: Problem }

/** Why the server will look at a job by itself: it may have to be ended, it expires at a moment that is written in it, or it ended without one. */
export type DueList = 'end' | 'expire' | 'ended'

/** Where an engine's index has a job. */
export interface Due {
  list: DueList
  /** Milliseconds since the epoch: the deadline, the expiry, the end. */
  at: number
}

/** A clock was set. */
export interface ClockStep {
  /** What it was set to: milliseconds since the epoch. */
  at: number
  /** How far it went forward, or back, which is negative: milliseconds. */
  by: number
}

/** By what the server decides what is due. Plain data, for engines decide within their commit. Moments are milliseconds since the epoch. */
export interface DueTerms {
  now: number
  /** Since when the server is there and its clock was not set. */
  since: number
  /** When the clock was set while the server ran, the earliest first. What is from before seems to be older by that. */
  steps: readonly ClockStep[]
  /** How long ended jobs are kept whose expiry is not written in them: seconds. */
  retentionSeconds: number
}

/** What a watcher asks of a job. */
export type Operation = 'cancel' | 'pause' | 'resume'

/**
 * What the server decides on a job as the commit finds it: what a watcher asked for, or what is due; or that all of its tokens end, which
 * is no event and leaves the version as it is. Plain data, so that it can be decided
 * wherever the commit is made: a decision on what was read before would have to be taken again as often as a producer is faster.
 */
export type Decision = Operation | 'end-tokens' | DueTerms

/** Events that are applied together or not at all. */
export interface Batch {
  events: JobEvent[]
  /** When the server took them: ISO 8601. */
  at: string
  /** About how much JSON they are. By it an engine may bound what it commits at once. */
  bytes?: number
  /** The job must have been created by this principal; otherwise the answer is as for a job that is not there. */
  createdBy?: string
  /** The job must be in this life; otherwise the answer is as for a job that is not there. */
  epoch?: string
  /** The tokens of the job must be in this series; otherwise the one that was used has been ended. */
  tokenSeries?: number
  /** In place of `events`, which are empty then: decided on the job as the commit finds it. With nothing to do, the answer is a repeat. */
  decide?: Decision
  /** A repeated key answers the present version and applies nothing. */
  key?: IdempotencyKey
  /** Keys of the job that were used at this moment or earlier are forgotten: milliseconds since the epoch. Without it none is for its age. */
  keyHorizon?: number
  /** How long an ended job is kept, in seconds; without it, for good. */
  retentionSeconds?: number
}

export interface IdempotencyKey {
  key: string
  /** A digest of the batch: the same key with another digest is refused. */
  digest: string
}

export type Applied =
  | {
      header: JobHeader
      repeat: boolean
      /** Someone follows the job, here or elsewhere. Said by engines that know; others leave it to the hub, which knows who is here. */
      watched?: true
    }
  | { refused: Problem }

/** The view of a job: everything, or its header alone. */
export type View = 'all' | 'header'

export interface ListQuery {
  /** Whose jobs. `undefined`: everyone's. */
  owner: string | undefined
  status?: JobStatus
  /** Only jobs that have not ended. */
  live?: boolean
  kind?: string
  parentId?: string
  /** 1 to 100. */
  limit: number
  /** As a page before gave it. */
  cursor?: string
}

export interface Page<T> {
  rows: T[]
  nextCursor?: string
}

/** What an engine tells of a job after the commit: a wake-up, complete enough that most need no read. */
export interface Change {
  id: string
  epoch: string
  /** The versions before and after. */
  from: number
  to: number
  /** The events between them, when there are few enough to be worth it. */
  events?: AppliedEvent[]
  /** The header at `to`. */
  header?: JobHeader
  /** Tokens of an earlier series are over. Left out, none were ended that anyone has to hear of. */
  tokenSeries?: number
  /** The job is gone. */
  removed?: true
}

/** On what condition a job is removed. */
export interface RemoveOnly {
  /** Only in this life. */
  epoch?: string
  /** Only when it has been kept long enough. */
  expired?: DueTerms
}

export interface DueQuery {
  list: DueList
  /** At this moment or earlier: milliseconds since the epoch. */
  before: number
  /** What comes after this job, the last of a page before, whether it is still there or not. */
  after?: Pick<DueJob, 'at' | 'id'>
  limit: number
}

/** A job in an index of what may be due. */
export interface DueJob {
  id: string
  at: number
  createdBy: string
}

/** What is watched: one job, all jobs of an owner, or everyone's. */
export type WatchTarget = { job: string } | { owner: string } | { all: true }

export type Unwatch = () => void

/** A short text that is kept for a time, such as a session. */
export interface Note {
  /** A path: words of `[0-9a-z-]`, separated by slashes, 64 characters each at most. */
  key: string
  text: string
}

/** Short texts beside the jobs. Every process that shares the store sees them. */
export interface Notes {
  /**
   * Writes a note, in the place of one with the same key.
   *
   * @param until when nobody will ask for it any more: milliseconds since the epoch. The engine may clear it away from then on, and MUST
   * do so some time
   * @param now by the caller's clock: what ran out before may be cleared away by this call
   */
  put(note: Note, until: number, now: number): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Deletes a note and answers its text: of several who take it at once one alone gets it. */
  take(key: string): Promise<string | undefined>
  /**
   * Notes whose keys begin with a prefix, in the order of their keys. Those that ran out may be among them.
   *
   * @param prefix ends in a slash. Where the engine `knowsOwnersOnly`, all but the last word of the keys: it finds no others
   * @param after the key of the last note of a page before
   */
  list(query: { prefix: string; after?: string | undefined; limit: number }): Promise<Note[]>
}

/** A change that the fold computed, for an engine to commit. */
export interface Commit extends StoredJob {
  /** The version that it rests on. */
  from: number
  events: AppliedEvent[]
  /** Rows to write, each in its newest state. */
  steps: Step[]
  items: Item[]
  errors: ErrorRow[]
  logs: LogRow[]
}

/**
 * Where documents live, and how those who watch them are woken.
 *
 * An engine MUST load the header and the named rows, call `applyBatch`, and commit what it computed, atomically and only
 * if the version has not moved in between; an acknowledged batch MUST survive a crash (but for `memory`). Its cost MUST NOT grow
 * with the items, events or watchers that are there already. Answers MUST leave after the commit and wake-ups after the answers; one
 * who is woken and throws MUST NOT keep others from being woken. Wake-ups MAY be lost, and MUST NOT come out of order for one job.
 */
export interface Engine {
  /** A short name for people: `sqlite`. */
  readonly name: string
  /** What this engine can't take as much of as the server would. */
  readonly limits?: Partial<Limits>
  /** No wake-up is lost unless `onLost` is called. So nobody asks now and then, and documents of which there is nothing new can sleep. */
  readonly tellsAll?: true
  /** Jobs are found by their owner alone: it is never asked for everyone's. */
  readonly knowsOwnersOnly?: true
  readonly notes: Notes
  create(job: JobToCreate): Promise<Created>
  apply(id: string, batch: Batch): Promise<Applied>
  /** The stored header and marks, or `undefined` when there is no such job. */
  read(id: string): Promise<StoredJob | undefined>
  /**
   * What changed since a cursor, at most about `maxBytes` of it: rows in the order of their versions, `more` when there are others.
   * Without a cursor, or with one of another life or ahead of the document, everything, from 0. Nothing new is a patch with
   * `from` = `to`. `undefined` when there is no such job.
   */
  changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined>
  /** Newest first, by creation. */
  list(query: ListQuery): Promise<Page<JobHeader>>
  /** Removes a job if the conditions hold when it is committed. Answers whether it did. */
  remove(id: string, only?: RemoveOnly): Promise<boolean>
  /**
   * Resolves once changes from now on will wake.
   *
   * @param onLost called at most once, when nothing will wake any more though nobody said so: whoever watches begins anew
   */
  watch(target: WatchTarget, wake: (change: Change) => void, onLost?: () => void): Promise<Unwatch>
  /** A page of the jobs that may be due, from an index (`dueOf`), earliest first. An engine with alarms of its own has none. */
  due?(query: DueQuery): Promise<DueJob[]>
  /**
   * Throws when documents can't be read now, or when the engine knows that they can't be written. Anyone may ask, by `/readyz`: so it
   * MUST NOT write.
   */
  check(): Promise<void>
  /** Lets go of files and connections. */
  close(): Promise<void>
}

/** Why an engine can't be opened, in a sentence for the operator that says what to do. */
export class EngineOpenError extends Error {
  override readonly name = 'EngineOpenError'
}
