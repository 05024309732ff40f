import type { JobHeader, JobStatus } from '../../../shared/document/job.ts'
import type { Marks, StoredJob } from '../../jobs/engine.ts'
import type { ChangedRow } from '../../jobs/paging/paging.ts'

/** The format of all stored keys and values. */
export const KV_FORMAT = 2

/** A `result` or `metadata`: small ones as JSON, large ones as the number of values of their own. */
export type Payload = string | number

/** A job without its rows and large payloads. */
export interface Head {
  /** Unique id of this life of the job id. */
  life: string
  /** Order of creation. */
  seq: number
  header: Omit<JobHeader, 'result' | 'metadata'>
  marks: Marks
  /** Number of idempotency keys ever used on the job. */
  keyCount: number
  result?: Payload
  metadata?: Payload
  /** The engine that wrote this; it has already woken its own watchers. */
  by: string
}

/** Tombstone of a removed job, kept for a while so that polling processes see the removal. */
export interface Gone {
  gone: true
  epoch: string
  version: number
  by: string
}

/** A job's latest change, for subscriptions to its owner. */
export interface ChangeNote {
  epoch: string
  version: number
  gone?: true
  by: string
}

/** Value of an index entry: fields that let most list filters work without reading heads. */
export interface Listed {
  kind: string
  status: JobStatus
  parentId?: string | undefined
}

/** A used idempotency key: digest of its batch, time of use (ms since the Unix epoch), and its number in the job, from 1. */
export interface UsedKey {
  digest: string
  at: number
  n: number
}

/** Longest payload stored in the head: characters. */
const INLINE_LENGTH = 1_024
/** Bytes per value of a large payload; Deno KV allows 65,536. */
export const PART_BYTES = 60 * 1_024

const encoder = new TextEncoder()
// `ignoreBOM` keeps a leading U+FEFF, which may be part of a text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Encodes a payload for the head, and its separate values if it is large. */
export function encodePayload(value: unknown): { payload?: Payload; parts: Uint8Array<ArrayBuffer>[] } {
  if (value === undefined) return { parts: [] }
  const json = JSON.stringify(value)
  if (json.length <= INLINE_LENGTH) return { payload: json, parts: [] }
  const bytes = encoder.encode(json)
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < bytes.length; at += PART_BYTES) parts.push(bytes.slice(at, at + PART_BYTES))
  return { payload: parts.length, parts }
}

/** The JSON of a large payload, from its values. */
export function joinParts(parts: readonly Uint8Array[]): string {
  const streaming = new TextDecoder()
  return parts.map((part) => streaming.decode(part, { stream: true })).join('')
}

/** A stored row; texts may be UTF-8 bytes. */
export type StoredRow = { list: ChangedRow['list']; row: Record<string, unknown> }

/**
 * Encodes a row in no more bytes than the limits count. Deno KV stores a string with a character beyond Latin-1 at two bytes per character,
 * so such strings are stored as UTF-8 bytes.
 */
export function encodeRow({ list, row }: ChangedRow): StoredRow {
  const packed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(row)) packed[key] = isWide(value) ? encoder.encode(value) : value
  return { list, row: packed }
}

/** The inverse of {@link encodeRow}. */
export function decodeRow({ list, row }: StoredRow): ChangedRow {
  for (const [key, value] of Object.entries(row)) if (value instanceof Uint8Array) row[key] = decoder.decode(value)
  return { list, row } as unknown as ChangedRow
}

/** False for unpaired surrogates, which UTF-8 can't encode. */
function isWide(value: unknown): value is string {
  return typeof value === 'string' && /[^\0-\xff]/.test(value) && value.isWellFormed()
}

/** A job from its head and payloads. */
export function jobOf({ header, marks }: Head, result: unknown, metadata: unknown): StoredJob {
  const whole: JobHeader = { ...header }
  if (result !== undefined) whole.result = result
  if (metadata !== undefined) whole.metadata = metadata as NonNullable<JobHeader['metadata']>
  return { header: whole, marks }
}
