import { createHash } from 'node:crypto'
import type { Due, DueList } from '../../jobs/engine.ts'
import type { ChangedRow } from '../../jobs/paging/paging.ts'

/** The lists of a document. */
export type List = ChangedRow['list']
/** Header fields that may be large and stored in values of their own. */
export type PayloadField = 'result' | 'metadata'

/** First part of all keys: the host app may use the same database. */
const ROOT = 'milepost'

/** Longest text stored verbatim in a key: UTF-16 code units. A key has at most 2,048 bytes, all keys of an atomic operation 81,920. */
const PLAIN_LENGTH = 64

/**
 * Untrusted text as a part of a key, injectively: texts that are long or have unpaired surrogates, which UTF-8 encoding would merge, are
 * hashed.
 */
function keyPart(text: string): Deno.KvKeyPart {
  if (text.length <= PLAIN_LENGTH && text.isWellFormed()) return text
  return new Uint8Array(createHash('sha256').update(text, 'utf16le').digest())
}

const ofLife = (life: string, ...parts: Deno.KvKeyPart[]): Deno.KvKey => [ROOT, 'life', life, ...parts]

/**
 * The key schema. Rows and payloads are under the life of a job, so that they can be deleted after a new job has taken the id.
 */
export const keys = {
  format: [ROOT, 'format'],
  jobs: [ROOT, 'job'],
  job: (id: string) => [ROOT, 'job', id],
  life: (life: string) => ofLife(life),
  rows: (life: string) => ofLife(life, 'row'),
  /** A row, by the version that last changed it. */
  row: (life: string, version: number) => ofLife(life, 'row', version),
  /** The version of a step or item. */
  name: (life: string, list: List, id: string) => ofLife(life, 'name', list, keyPart(id)),
  /** The version of the error or log line at this place of its window. */
  slot: (life: string, list: List, place: number) => ofLife(life, 'slot', list, place),
  payload: (life: string, field: PayloadField, version: number, part: number) => ofLife(life, field, version, part),
  idempotency: (life: string, key: string) => ofLife(life, 'key', keyPart(key)),
  /** The idempotency key at this place of the window of keys. */
  keySlot: (life: string, place: number) => ofLife(life, 'key-slot', place),
  /** An index of one owner's or all jobs: by one value of one field, or `all`. */
  list: (owner: string | undefined, field: string, value: string) =>
    owner === undefined
      ? [ROOT, 'everyone', field, keyPart(value)]
      : [ROOT, 'list', keyPart(owner), field, keyPart(value)],
  /** The jobs of a due list, by time. */
  dues: (list: DueList) => [ROOT, 'due', list],
  due: ({ list, at }: Due, id: string) => [ROOT, 'due', list, at, id],
  /** The due list of format 1. */
  oldDues: [ROOT, 'due'],
  /** Number of a creator's live jobs. */
  live: (createdBy: string) => [ROOT, 'live', keyPart(createdBy)],
  /** Number of a creator's stored jobs, or of their blocks. */
  kept: (createdBy: string, what: 'jobs' | 'blocks') => [ROOT, 'kept', keyPart(createdBy), what],
  /** Written with every change of an owner's jobs, because `watch` accepts keys, not prefixes. */
  bump: (owner: string) => [ROOT, 'bump', keyPart(owner)],
  /** Recent changes of an owner's jobs. */
  news: (owner: string) => [ROOT, 'news', keyPart(owner)],
  newsOf: (owner: string, id: string) => [ROOT, 'news', keyPart(owner), id],
  /** Each segment of a note's path is one part. */
  note: (key: string) => [ROOT, 'note', ...key.split('/')],
  /** Ended lives whose keys are still to be deleted. */
  trash: [ROOT, 'trash'],
  trashed: (life: string) => [ROOT, 'trash', life],
} as const satisfies Record<string, Deno.KvKey | ((...parts: never[]) => Deno.KvKey)>
