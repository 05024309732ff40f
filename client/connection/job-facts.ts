import type { JobHeader } from '../../shared/document/job.ts'
import type { ConnectionStatus } from './connection-state.ts'

/** What is known of a job at a moment: what its words and its display are made of. */
export interface JobFacts {
  /** `undefined` until it is known. */
  job: JobHeader | undefined
  connection: ConnectionStatus
  /** The moment: milliseconds since the epoch by the server's clock. */
  now: number
  /** When the server was last heard, by the same clock. */
  lastSeen?: number | undefined
  /** Per second, as {@link estimate} gives it. */
  rate?: number | undefined
  /** Seconds, as {@link estimate} or {@link coarseTimeLeft} gives it. */
  timeLeft?: number | undefined
}
