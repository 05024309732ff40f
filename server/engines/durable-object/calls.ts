import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import type { Problem } from '../../errors.ts'
import type {
  Applied,
  Batch,
  Created,
  JobToCreate,
  ListQuery,
  Note,
  Notes,
  Page,
  RemoveOnly,
  StoredJob,
  View,
} from '../../jobs/engine.ts'

/** What a Worker asks of the object of a job. Objects have no settings of their own: what they need comes with the call. */
export interface JobCalls {
  /** @param retentionSeconds how long the job is kept if the object has to end it */
  create(job: JobToCreate, retentionSeconds: number | undefined): Promise<Created>
  apply(id: string, batch: Batch, limits: Limits): Promise<Applied>
  /** @param retentionSeconds how long an ended job is kept in which no expiry is written */
  read(retentionSeconds?: number): Promise<StoredJob | undefined>
  changesSince(cursor: Cursor | undefined, page: { view: View; maxBytes: number }): Promise<Patch | undefined>
  remove(only?: RemoveOnly): Promise<boolean>
  /** The job, if it is there by now, in this life: what became of a creation that the index object was told of before. */
  confirm(epoch: string): Promise<StoredJob | 'creating' | undefined>
}

/** What is asked of the index object of a principal: of the jobs that are its own, and of those that it created. */
export interface OwnerCalls {
  /** Writes a job down before it is made. Refuses it when its creator has as many jobs as its limits say. */
  admit(job: JobToCreate): Promise<Problem | undefined>
  /** One of the principal's own jobs as it is now. Answers whether someone follows all of them. */
  update(job: StoredJob): Promise<boolean>
  /** One of the principal's own jobs is gone. */
  forget(id: string, epoch: string): Promise<void>
  /** A job that the principal created for another has been made, or has ended. */
  settle(id: string, epoch: string, isLive: boolean): Promise<void>
  /** @param retentionSeconds how long ended jobs are kept in which no expiry is written */
  list(query: ListQuery, retentionSeconds?: number): Promise<Page<JobHeader>>
  /** The calls of {@link Notes}, in an object that has no jobs. */
  putNote(note: Note, until: number): Promise<void>
  getNote(key: string): Promise<string | undefined>
  takeNote(key: string): Promise<string | undefined>
  listNotes(query: Parameters<Notes['list']>[0]): Promise<Note[]>
  /** Reads something. */
  check(): Promise<void>
}

/** A binding to objects of one class, each known by a name. */
export interface Namespace<Calls> {
  getByName(name: string): Calls & { fetch(url: string, init: RequestInit): Promise<Response> }
}

/** The bindings that the engine and its objects need, as `wrangler.jsonc` names them. */
export interface ObjectBindings {
  MILEPOST_JOBS: Namespace<JobCalls>
  MILEPOST_OWNERS: Namespace<OwnerCalls>
}

/** What a Worker asks over a WebSocket whether it is alive, and the answer, which the runtime gives while the object sleeps. */
export const PING = 'ping'
export const PONG = 'pong'

/** The index object of a principal. As JSON: a name of an object has to be UTF-8, which half a surrogate pair is not. */
export function ownerObject({ MILEPOST_OWNERS }: ObjectBindings, principal: string) {
  return MILEPOST_OWNERS.getByName(JSON.stringify(principal))
}

/**
 * The object of notes whose keys are the same but for the last word. No principal has such a name: theirs are in quotes.
 *
 * @param key of a note, or the prefix of several, with the slash at its end
 */
export function noteObject({ MILEPOST_OWNERS }: ObjectBindings, key: string) {
  return MILEPOST_OWNERS.getByName(`notes ${key.slice(0, key.lastIndexOf('/'))}`)
}
