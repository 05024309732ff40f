import { createHash } from 'node:crypto'
import type { Due, DueList } from '../../jobs/engine.ts'
import type { ChangedRow } from '../../jobs/paging.ts'

/** The lists of a document. */
export type List = ChangedRow['list']
/** What is large in a header, and may have values of its own. */
export type PayloadField = 'result' | 'metadata'

/** All keys begin with it: the database may be its host's too. */
const ROOT = 'milepost'

/** The longest text that stands in a key as it is: UTF-16 code units. A key has at most 2,048 bytes, those of an atomic 81,920. */
const PLAIN_LENGTH = 64

/**
 * A text of strangers as a part of a key: the same text the same part, two texts two parts.
 *
 * Keys are UTF-8, where all half surrogate pairs are one and the same. So texts that have any, and long ones, are digested.
 */
export function keyPart(text: string): Deno.KvKeyPart {
  if (text.length <= PLAIN_LENGTH && text.isWellFormed()) return text
  return new Uint8Array(createHash('sha256').update(text, 'utf16le').digest())
}

const ofLife = (life: string, ...parts: Deno.KvKeyPart[]): Deno.KvKey => [ROOT, 'life', life, ...parts]

/**
 * Where everything is. What belongs to one life of a job is under a key of that life, so that it can be removed behind the next one's back.
 */
export const keys = {
  format: [ROOT, 'format'],
  jobs: [ROOT, 'job'],
  job: (id: string) => [ROOT, 'job', id],
  life: (life: string) => ofLife(life),
  rows: (life: string) => ofLife(life, 'row'),
  /** A row by the version that last changed it. */
  row: (life: string, version: number) => ofLife(life, 'row', version),
  /** At which version a step or an item is. */
  name: (life: string, list: List, id: string) => ofLife(life, 'name', list, keyPart(id)),
  /** At which version the error or log line is that has this place in its window. */
  slot: (life: string, list: List, place: number) => ofLife(life, 'slot', list, place),
  payload: (life: string, field: PayloadField, version: number, part: number) => ofLife(life, field, version, part),
  idempotency: (life: string, key: string) => ofLife(life, 'key', keyPart(key)),
  /** Which idempotency key has this place among the last ones. */
  keySlot: (life: string, place: number) => ofLife(life, 'key-slot', place),
  /** An index of an owner's jobs, or of everyone's: `all`, or those with one value of one field. */
  list: (owner: string | undefined, field: string, value: string) =>
    owner === undefined
      ? [ROOT, 'everyone', field, keyPart(value)]
      : [ROOT, 'list', keyPart(owner), field, keyPart(value)],
  /** Jobs of a list in the order in which something is due. */
  dues: (list: DueList) => [ROOT, 'due', list],
  due: ({ list, at }: Due, id: string) => [ROOT, 'due', list, at, id],
  /** Where format 1 had them. */
  oldDues: [ROOT, 'due'],
  /** How many jobs of a creator have not ended. */
  live: (createdBy: string) => [ROOT, 'live', keyPart(createdBy)],
  /** How many jobs of a creator are kept, and in how many blocks. */
  kept: (createdBy: string, what: 'jobs' | 'blocks') => [ROOT, 'kept', keyPart(createdBy), what],
  /** Written with every change of an owner's jobs: `watch` takes keys, not prefixes. */
  bump: (owner: string) => [ROOT, 'bump', keyPart(owner)],
  /** The jobs of an owner that changed of late. */
  news: (owner: string) => [ROOT, 'news', keyPart(owner)],
  newsOf: (owner: string, id: string) => [ROOT, 'news', keyPart(owner), id],
  /** Each word of a note's path is a part. */
  note: (key: string) => [ROOT, 'note', ...key.split('/')],
  /** Lives that are over and not yet cleared away. */
  trash: [ROOT, 'trash'],
  trashed: (life: string) => [ROOT, 'trash', life],
} as const satisfies Record<string, Deno.KvKey | ((...parts: never[]) => Deno.KvKey)>
