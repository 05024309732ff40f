/** The document, its events and the fold: the same for servers and browsers. */

export { type Cursor, formatCursor, parseCursor } from './document/cursor.ts'
export type { AppliedEvent, ControlEvent, EventFields, EventType, JobEvent, ProducerEvent } from './document/events.ts'
export { applyEvent, applyPatch, diffSince } from './document/fold.ts'
export type {
  ErrorRow,
  Item,
  ItemCounts,
  ItemStatus,
  Job,
  JobHeader,
  JobStatus,
  LogLevel,
  LogRow,
  Patch,
  Progress,
  Step,
} from './document/job.ts'
export { defaultLimits, type Limits } from './document/limits.ts'
export { LiveJob } from './document/live-job.ts'
export {
  countItems,
  getAmount,
  getItemsByStatus,
  getProgressPercent,
  isStalled,
  isTerminalStatus,
} from './document/selectors.ts'
export { type Clock, type Random, systemClock, systemRandom, type Timer } from './time/clock.ts'
export type { CreateJob, CreateToken, JobList, ProblemDocument, Receipt, Token } from './wire/api.ts'
export type { EndData, EndReason, ManyJobs, PingData, SnapshotData, StreamMessage } from './wire/messages.ts'
