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

/** Calls from a Worker to a job's object. Objects have no settings: each call brings what it needs. */
export interface JobCalls {
  /** @param retentionSeconds retention of the job if the object ends it */
  create(job: JobToCreate, retentionSeconds: number | undefined): Promise<Created>
  apply(id: string, batch: Batch, limits: Limits): Promise<Applied>
  /** @param retentionSeconds retention of an ended job without an expiry */
  read(retentionSeconds?: number): Promise<StoredJob | undefined>
  changesSince(cursor: Cursor | undefined, page: { view: View; maxBytes: number }): Promise<Patch | undefined>
  remove(only?: RemoveOnly): Promise<boolean>
  /** The outcome of a creation that the index object admitted: the job in this life, `creating`, or `undefined` if it does not exist. */
  confirm(epoch: string): Promise<StoredJob | 'creating' | undefined>
}

/** Calls to a principal's index object, which covers the jobs that it owns and those that it created. */
export interface OwnerCalls {
  /** Records a job before it is created, or refuses it when its creator has reached a limit. */
  admit(job: JobToCreate): Promise<Problem | undefined>
  /** Records the present state of an owned job. @returns whether anyone is subscribed to the owner's jobs */
  update(job: StoredJob): Promise<boolean>
  /** Deletes a removed job of the owner. */
  forget(id: string, epoch: string): Promise<void>
  /** Records that a job created for another owner exists, or, if not live, that it ended. */
  settle(id: string, epoch: string, isLive: boolean): Promise<void>
  /** @param retentionSeconds retention of ended jobs without an expiry */
  list(query: ListQuery, retentionSeconds?: number): Promise<Page<JobHeader>>
  /** The calls of {@link Notes}, to an object without jobs. */
  putNote(note: Note, until: number): Promise<void>
  getNote(key: string): Promise<string | undefined>
  takeNote(key: string): Promise<string | undefined>
  listNotes(query: Parameters<Notes['list']>[0]): Promise<Note[]>
  /** Reads from the storage. */
  check(): Promise<void>
}

/** A binding to the objects of one class, found by name. */
export interface Namespace<Calls> {
  getByName(name: string): Calls & { fetch(url: string, init: RequestInit): Promise<Response> }
}

/** The bindings that the engine and its objects need, as `wrangler.jsonc` names them. */
export interface ObjectBindings {
  MILEPOST_JOBS: Namespace<JobCalls>
  MILEPOST_OWNERS: Namespace<OwnerCalls>
}

/** Keep-alive of a WebSocket. The runtime responds without waking the object. */
export const PING = 'ping'
/** The answer to a ping over a WebSocket. */
export const PONG = 'pong'

/** A principal's index object. Its name is JSON, because UTF-8 can't encode unpaired surrogates. */
export function ownerObject({ MILEPOST_OWNERS }: ObjectBindings, principal: string) {
  return MILEPOST_OWNERS.getByName(JSON.stringify(principal))
}

/** The notes, each in its object. */
export function objectNotes(bindings: ObjectBindings): Notes {
  return {
    put: (note, until) => noteObject(bindings, note.key).putNote(note, until),
    get: (key) => noteObject(bindings, key).getNote(key),
    take: (key) => noteObject(bindings, key).takeNote(key),
    list: (query) => noteObject(bindings, query.prefix).listNotes(query),
  }
}

/**
 * The object of all notes whose keys differ in the last segment only. Names of index objects are quoted, so the two kinds never collide.
 *
 * @param key of a note, or a prefix that ends in a slash
 */
function noteObject({ MILEPOST_OWNERS }: ObjectBindings, key: string) {
  return MILEPOST_OWNERS.getByName(`notes ${key.slice(0, key.lastIndexOf('/'))}`)
}
