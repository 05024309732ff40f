import type { AnswerValue } from '../../shared/document/ask-schema.ts'
import type { Cursor } from '../../shared/document/cursor.ts'
import type { AppliedEvent, JobEvent } from '../../shared/document/events.ts'
import type { ErrorRow, Item, JobHeader, JobStatus, LogRow, Patch, Step } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import type { Problem } from '../errors.ts'
import type { DeliveryChange, WebhookMarks } from './background/deliveries.ts'
import type { Transfer } from './transfer.ts'

/** What the server stores of a job beside its document. Watchers never see it. */
export interface Marks extends WebhookMarks {
  /** The version that last changed `result`. */
  resultVersion: number
  /** The version that last changed `metadata`. */
  metadataVersion: number
  /** Number of steps. */
  stepCount: number
  /** Bytes of header, steps and items, as counted against the limit. */
  bytes: number
  /** Digest of the request that created the job, to recognize a repeated request. */
  requestDigest: string
  /** When a watcher first requested cancellation: ISO 8601. */
  cancelRequestedAt?: string
  /** The newest generations that applied events, each with its first version. See `generations.ts`. */
  generations?: [id: string, from: number][]
  /** Current series of the job's tokens; revoking all tokens starts the next. Omitted: the first. */
  tokenSeries?: number
}

/** A job as engines store it, without its rows. */
export interface StoredJob {
  header: JobHeader
  marks: Marks
}

/** A job to be created: its document at version 1, complete. */
export interface JobToCreate extends StoredJob {
  /** Refuses the job when its creator has this many jobs that have not ended. */
  liveLimit?: number
  /** Refuses the job when its creator's stored jobs would exceed this number or size. */
  keptLimit?: { jobs: number; bytes: number }
}

/** The outcome of a creation. */
export type Created =
  | { created: true; job: StoredJob }
  /** The id is taken, by `job`. */
  | { created: false; job: StoredJob }
  | { refused: Problem }

/**
 * Lists of the due index: jobs with webhooks to `deliver`, which may have to be ended too; other jobs to `end`; ended jobs with an `expiresAt`
 * (`expire`), and ended jobs without one (`ended`).
 */
export type DueList = 'deliver' | 'end' | 'expire' | 'ended'

/** A job's place in the due index. */
export interface Due {
  list: DueList
  /** The next delivery, the deadline, the expiry or the end: milliseconds since the Unix epoch. */
  at: number
}

/** A change of the server's clock. */
export interface ClockStep {
  /** The new time: milliseconds since the Unix epoch. */
  at: number
  /** New minus old time: milliseconds. */
  by: number
}

/** Inputs to due decisions. Plain data, because engines decide within the commit. Times are milliseconds since the Unix epoch. */
export interface DueTerms {
  now: number
  /** When the server started, or its clock was last set. */
  since: number
  /** When the store last failed, if that is later: until then producers could not be heard. */
  heardSince?: number
  /** Set while the clock may still be wrong: nothing from before `since` ends or expires. */
  isUnsettled?: true
  /** Clock changes since the server's start, the earliest first. Each makes earlier times seem older by `by`. */
  steps: readonly ClockStep[]
  /** Retention of ended jobs without `expiresAt`: seconds. */
  retentionSeconds: number
}

/** A watcher's request. */
export type Operation = 'cancel' | 'pause' | 'resume'

/**
 * A decision made within the commit, on the job's state there: a watcher's request, what is due, to revoke all tokens, or a step in the
 * delivery of a webhook. The last two are no events and keep the version. Plain data, so that any thread or machine can decide. Decided on an earlier read, it would have to be repeated
 * whenever a producer commits first.
 */
export type Decision = Operation | 'end-tokens' | DueTerms | { delivery: DeliveryChange } | { answer: AnswerTerms }

/** An answer of a person to an ask of a job. */
export interface AnswerTerms {
  ask: string
  value: AnswerValue
  by: string
  /** The message that the person read. Left out for any. */
  message?: string | undefined
}

/** Events that are applied all or not at all. */
export interface Batch {
  events: JobEvent[]
  /** When the server received them: ISO 8601. */
  at: string
  /** Approximate JSON size, by which an engine may bound a group commit. */
  bytes?: number
  /** The required creator of the job; for another, the result is as for a missing job. */
  createdBy?: string
  /** The required epoch of the job; for another, the result is as for a missing job. */
  epoch?: string
  /** The required token series of the job; in another, the producer's token has been revoked. */
  tokenSeries?: number
  /** Replaces `events`, which are then empty. With nothing to do, the result is a repeat. */
  decide?: Decision
  /** A repeated key returns the current header and applies nothing. */
  key?: IdempotencyKey
  /** Forgets the job's keys used up to this time: milliseconds since the Unix epoch. Omitted: forgets none for its age. */
  keyHorizon?: number
  /** Retention of the job once it has ended: seconds. Omitted: for ever. */
  retentionSeconds?: number
  /** URLs in the server's settings that are notified, beside those of the job. */
  webhookUrls?: readonly string[]
}

/** The idempotency key of a batch. */
export interface IdempotencyKey {
  key: string
  /** Digest of the batch: the same key with another digest is refused. */
  digest: string
}

/** The outcome of a batch. */
export type Applied =
  | {
      header: JobHeader
      repeat: boolean
      /** The job has followers in any process. Set by engines that know; otherwise the hub knows those of this process. */
      watched?: true
    }
  | { refused: Problem }

/** View of a job: everything, or the header alone. */
export type View = 'all' | 'header'

/** A query for a page of jobs. */
export interface ListQuery {
  /** `undefined`: all owners. The name of a tenant's list (`listOf`): all owners in that tenant. */
  owner: string | undefined
  status?: JobStatus
  /** Only jobs that have not ended. */
  live?: boolean
  kind?: string
  parentId?: string
  /** 1 to 100. */
  limit: number
  /** Approximate JSON size of a page, which has at least one job: bytes. Default and maximum: `LIST_BYTES`. */
  maxBytes?: number
  /** `nextCursor` of the previous page. */
  cursor?: string
}

/** A page of a list. */
export interface Page<T> {
  rows: T[]
  nextCursor?: string
}

/** A wake-up after a commit. It has enough data to save most reads. */
export interface Change {
  id: string
  epoch: string
  /** The versions before and after. */
  from: number
  to: number
  /** The events between them, if they are few. */
  events?: AppliedEvent[]
  /** The header at `to`. */
  header?: JobHeader
  /** Tokens of earlier series are revoked. Omitted: none to report. */
  tokenSeries?: number
  /** The job was removed. */
  removed?: true
}

/** Conditions of a removal. */
export interface RemoveOnly {
  /** Only in this epoch. */
  epoch?: string
  /** Only when the retention is over. */
  expired?: DueTerms
}

/** A query for a page of a due list. */
export interface DueQuery {
  list: DueList
  /** Due at this time or earlier: milliseconds since the Unix epoch. */
  before: number
  /** The last job of the previous page, whether it still exists or not. */
  after?: Pick<DueJob, 'at' | 'id'>
  limit: number
}

/** An entry of the due index. */
export interface DueJob {
  id: string
  at: number
  createdBy: string
}

/** What to watch: one job, quietly if it does not count as watched for that; the jobs of an owner or of a tenant's list; or all jobs. */
export type WatchTarget = { job: string; quietly?: true } | { owner: string } | { all: true }

/** Ends a subscription. */
export type Unwatch = () => void

/** A short text with an expiry, such as a session. */
export interface Note {
  /** A path: words of `[0-9a-z-]`, at most 64 characters each, separated by slashes. */
  key: string
  text: string
}

/** Most kinds and creators in the figures of a store. */
export const MAX_KINDS = 20
export const MAX_CREATORS = 10

/** What a store has. Jobs are counted up to a bound, so that counting does not take longer with more jobs. */
export interface StoreFigures {
  /** Size of the store: bytes. */
  bytes?: number
  byStatus: Partial<Record<JobStatus, number>>
  /** The first kinds by name. */
  byKind: { kind: string; jobs: number }[]
  /** The creators with the largest documents, among as many as are counted. `bytes` are of their documents. */
  creators: { sub: string; live: number; jobs: number; bytes: number }[]
}

/** Short texts stored beside the jobs, shared by all processes on the store. */
export interface Notes {
  /**
   * Writes a note, or replaces the one with the same key.
   *
   * @param until expiry: milliseconds since the Unix epoch. From then on the engine may delete the note, and MUST do so eventually
   * @param now the caller's time: this call may delete notes that expired before
   */
  put(note: Note, until: number, now: number): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Deletes a note and returns its text, to only one of several concurrent callers. */
  take(key: string): Promise<string | undefined>
  /**
   * Notes whose keys begin with a prefix, in the order of their keys. May include expired notes.
   *
   * @param prefix ends in a slash. An engine with `knowsOwnersOnly` finds only keys with exactly one word after it
   * @param after the last key of the previous page
   */
  list(query: { prefix: string; after?: string | undefined; limit: number }): Promise<Note[]>
}

/** A change computed by the fold, for an engine to commit. */
export interface Commit extends StoredJob {
  /** The version that the change applies to. */
  from: number
  events: AppliedEvent[]
  /** Rows to write, each in its newest state. */
  steps: Step[]
  items: Item[]
  errors: ErrorRow[]
  logs: LogRow[]
}

/**
 * Stores documents and wakes their watchers.
 *
 * An engine MUST load the header and the named rows, call `applyBatch`, and commit its result, atomically and only if the version has not
 * changed in between. An acknowledged batch MUST survive a crash (except with `memory`). The cost of a batch MUST NOT grow with the number
 * of existing items, events or watchers. A call MUST return after its commit, and wake-ups MUST follow the return. A wake-up callback that
 * throws MUST NOT keep others from being called. Wake-ups MAY be lost, and MUST NOT be out of order for one job.
 *
 * Without `knowsOwnersOnly` each job whose id is qualified by a tenant (`acme::export-7`) is also in the list of that tenant, whose name
 * (`acme::`, see `listOf`) stands in place of an owner in `list` and `watch`. Wake-ups of a tenant's list MAY be those of this process only.
 */
export interface Engine {
  /** A short name for people: `sqlite`. */
  readonly name: string
  /** Limits that are lower than the server's. */
  readonly limits?: Partial<Limits>
  /** No wake-up is lost unless `onLost` is called. So the hub does not poll, and idle documents can sleep. */
  readonly tellsAll?: true | undefined
  /** When the store was last written before it was opened, if the engine knows: milliseconds since the Unix epoch. */
  readonly lastWrittenAt?: number | undefined
  /** Jobs are indexed by owner only: the server never queries all owners. */
  readonly knowsOwnersOnly?: true | undefined
  readonly notes: Notes
  create(job: JobToCreate): Promise<Created>
  apply(id: string, batch: Batch): Promise<Applied>
  /** The stored header and marks, or `undefined` when there is no such job. */
  read(id: string): Promise<StoredJob | undefined>
  /**
   * Reads the changes since a cursor, at most about `maxBytes`: rows in the order of their versions, `more` if there are others.
   * Without a cursor, or with one of another epoch or ahead of the document, everything from 0. Without changes, a patch with
   * `from` = `to`. `undefined` when there is no such job.
   */
  changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined>
  /** Newest first, by creation. */
  list(query: ListQuery): Promise<Page<JobHeader>>
  /** Removes a job if the conditions hold in the commit. @returns whether it did */
  remove(id: string, only?: RemoveOnly): Promise<boolean>
  /**
   * Subscribes to changes. Resolves once every later change calls `wake`.
   *
   * @param onLost called at most once, when the subscription was lost: the caller has to start over
   */
  watch(target: WatchTarget, wake: (change: Change) => void, onLost?: () => void): Promise<Unwatch>
  /** Counts what there is, from indexes, no number higher than `most`. Omitted by engines without such indexes. */
  figures?(most: number): Promise<StoreFigures>
  /** All of the store, to copy it to another. Omitted by engines that can't be copied. */
  readonly transfer?: Transfer
  /** A page of the due index (`dueOf`), earliest first. Omitted by engines with alarms of their own. */
  due?(query: DueQuery): Promise<DueJob[]>
  /**
   * Throws when documents can't be read, or when the engine knows that they can't be written. MUST NOT write, because anyone can call it
   * through `/readyz`.
   */
  check(): Promise<void>
  /** Releases files and connections. */
  close(): Promise<void>
}

/** What principals can do with the jobs of an engine, or with those of one tenant in it. */
export type Documents = Pick<
  Engine,
  'name' | 'tellsAll' | 'knowsOwnersOnly' | 'create' | 'apply' | 'read' | 'changesSince' | 'list' | 'remove' | 'watch'
>

/** An engine can't be opened. The message tells the operator what to do. */
export class EngineOpenError extends Error {
  override readonly name = 'EngineOpenError'
}
