import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { utf8Length } from '../../../shared/document/text-size.ts'
import { dueOf } from '../../jobs/background/due.ts'
import type { DueList, StoredJob } from '../../jobs/engine.ts'

/** A job as stored in the file. */
export interface StoredEntry {
  /** Position in the order of creation, and key of the job's rows. */
  seq: number
  job: StoredJob
  /** Number of idempotency keys ever used on the job. */
  keyCount: number
  /** Characters of JSON: of the head, which every event rewrites, and of `result` and `metadata`. */
  headSize: number
  payloadSize: number
}

/** A row of the tables `jobs` and `heads`. */
export type EntryRow = { seq: number; result: string | null; metadata: string | null; body: string }

/** Size of the JSON in a row. */
export const bytesOf = ({ body, result, metadata }: EntryRow) =>
  utf8Length(body) + utf8Length(result ?? '') + utf8Length(metadata ?? '')

/** The JSON in `heads.body`: everything that most events change. */
export interface StoredHead extends StoredJob {
  keyCount: number
}

/** A header without the fields that have columns of their own. */
export function withoutBulk(header: JobHeader): JobHeader {
  if (header.result === undefined && header.metadata === undefined) return header
  const { result: _result, metadata: _metadata, ...rest } = header
  return rest
}

/** A job from its row. */
export function decodeEntry({ seq, result, metadata, body }: EntryRow): StoredEntry {
  const { header, marks, keyCount }: StoredHead = JSON.parse(body)
  if (result !== null) header.result = JSON.parse(result)
  if (metadata !== null) header.metadata = JSON.parse(metadata)
  const payloadSize = (result?.length ?? 0) + (metadata?.length ?? 0)
  return { seq, job: { header, marks }, keyCount, headSize: body.length, payloadSize }
}

/** The mutable columns of the table `jobs`. */
export interface Seldom {
  status: string
  live: number
  dueList: DueList | null
  dueAt: number | null
  result: string | null
  metadata: string | null
}

/** Those columns of a job. */
export function seldomColumns(job: StoredJob): Seldom {
  const { status, result, metadata } = job.header
  const due = dueOf(job)
  return {
    status,
    live: isTerminalStatus(status) ? 0 : 1,
    dueList: due?.list ?? null,
    dueAt: due?.at ?? null,
    result: result === undefined ? null : JSON.stringify(result),
    metadata: metadata === undefined ? null : JSON.stringify(metadata),
  }
}

/** Whether those columns differ. Compares the versions of `result` and `metadata`, which may be large. */
export function changesSeldom(before: StoredJob, after: StoredJob): boolean {
  const [was, is] = [dueOf(before), dueOf(after)]
  return (
    before.header.status !== after.header.status ||
    was?.at !== is?.at ||
    was?.list !== is?.list ||
    before.marks.resultVersion !== after.marks.resultVersion ||
    before.marks.metadataVersion !== after.marks.metadataVersion
  )
}
