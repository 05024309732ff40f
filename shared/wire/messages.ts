import type { AppliedEvent } from '../document/events.ts'
import type { Job, Patch } from '../document/job.ts'

/** Why a job's stream ended. */
export type EndReason = 'completed' | 'failed' | 'cancelled' | 'deleted' | 'expired' | 'token-expired'

/** The data of `event: snapshot`: the document, or, with `more`, the first page of it. */
export type SnapshotData = Job & { more?: true }

/** The data of `event: ping`. `version` is left out on a stream of several jobs. */
export interface PingData {
  /** The server's clock: ISO 8601. */
  at: string
  version?: number
}

/** The data of `event: end`. */
export interface EndData {
  reason: EndReason
}

/** What a stream of one job says, by the name of the SSE event. Any other name is an applied event of that type. */
export type StreamMessage =
  | { event: 'snapshot'; data: SnapshotData }
  | { event: 'patch'; data: Patch }
  | { event: 'ping'; data: PingData }
  | { event: 'end'; data: EndData }
  | { event: 'progress' | 'status' | 'item' | 'step' | 'job-error' | 'log' | 'control'; data: AppliedEvent }

/** What each message of a stream of several jobs has besides its data. */
export interface ManyJobs {
  jobId: string
  /** The cursor after this message, for `?job=ID@CURSOR`. */
  cursor: string
}

/** A snapshot as a patch from 0. */
export function patchOfSnapshot(snapshot: SnapshotData): Patch {
  const { steps, items, errors, logs, more, ...job } = snapshot
  return { from: 0, to: job.version, ...(more ? { more } : {}), job, steps, items, errors, logs }
}
