import type { JobHeader, JobStatus } from '../../../shared/document/job.ts'
import type { Marks, StoredJob } from '../../jobs/engine.ts'
import type { ChangedRow } from '../../jobs/paging.ts'

/** The format of everything that is stored here. */
export const KV_FORMAT = 2

/** A `result` or `metadata`: small ones as JSON in the head, large ones in so many values of their own. */
export type Payload = string | number

/** A job, without what is large in it. */
export interface Head {
  /** Which of the documents that had this id: never used again. */
  life: string
  /** Its place in the order of creation. */
  seq: number
  header: Omit<JobHeader, 'result' | 'metadata'>
  marks: Marks
  /** Idempotency keys that it ever took. */
  keyCount: number
  result?: Payload
  metadata?: Payload
  /** The engine that wrote this: it has told its own watchers. */
  by: string
}

/** What stands for a while where a head was, so that those who look only now and then hear of the removal. */
export interface Gone {
  gone: true
  epoch: string
  version: number
  by: string
}

/** That a job has changed, for those who watch its owner. */
export interface ChangeNote {
  epoch: string
  version: number
  gone?: true
  by: string
}

/** What the indexes of jobs know of a job beside its place, so that most of a list's filters need no head. */
export interface Listed {
  kind: string
  status: JobStatus
  parentId?: string | undefined
}

/** An idempotency key: what it stood for, when it was used, and its place among those of the job, from 1. */
export interface UsedKey {
  digest: string
  at: number
  n: number
}

/** Characters of a payload that stand in the head. */
const INLINE_LENGTH = 1_024
/** Bytes of one value of a payload: a value has at most 65,536. */
export const PART_BYTES = 60 * 1_024

const encoder = new TextEncoder()
// A text may begin with what would be a byte order mark at the start of a file.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A payload as the head has it, and the values of its own that it needs. */
export function encodePayload(value: unknown): { payload?: Payload; parts: Uint8Array<ArrayBuffer>[] } {
  if (value === undefined) return { parts: [] }
  const json = JSON.stringify(value)
  if (json.length <= INLINE_LENGTH) return { payload: json, parts: [] }
  const bytes = encoder.encode(json)
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < bytes.length; at += PART_BYTES) parts.push(bytes.slice(at, at + PART_BYTES))
  return { payload: parts.length, parts }
}

/** The JSON of a payload in values of its own. */
export function joinParts(parts: readonly Uint8Array[]): string {
  const streaming = new TextDecoder()
  return parts.map((part) => streaming.decode(part, { stream: true })).join('')
}

/** A row as it is stored: texts may be UTF-8. */
export type StoredRow = { list: ChangedRow['list']; row: Record<string, unknown> }

/**
 * A row at no more bytes than the limits count. The store writes a text with any character beyond Latin-1 at two bytes a character;
 * such a one is stored as UTF-8.
 */
export function encodeRow({ list, row }: ChangedRow): StoredRow {
  const packed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(row)) packed[key] = isWide(value) ? encoder.encode(value) : value
  return { list, row: packed }
}

export function decodeRow({ list, row }: StoredRow): ChangedRow {
  for (const [key, value] of Object.entries(row)) if (value instanceof Uint8Array) row[key] = decoder.decode(value)
  return { list, row } as unknown as ChangedRow
}

/** Not one with half surrogate pairs: UTF-8 has none. */
function isWide(value: unknown): value is string {
  return typeof value === 'string' && /[^\0-\xff]/.test(value) && value.isWellFormed()
}

/** The job of a head and its payloads. */
export function jobOf({ header, marks }: Head, result: unknown, metadata: unknown): StoredJob {
  const whole: JobHeader = { ...header }
  if (result !== undefined) whole.result = result
  if (metadata !== undefined) whole.metadata = metadata as NonNullable<JobHeader['metadata']>
  return { header: whole, marks }
}
