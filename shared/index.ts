/** The document, its events and the fold: the same for servers and browsers. */
export type { CreateJob, CreateToken, JobList, ProblemDocument, Token } from './api.ts'
export type { Receipt } from './batcher.ts'
export { type Clock, type Random, systemClock, systemRandom, type Timer } from './clock.ts'
export { type Cursor, formatCursor, parseCursor } from './cursor.ts'
export type { AppliedEvent, ControlEvent, EventFields, EventType, JobEvent, ProducerEvent } from './events.ts'
export { applyEvent, applyPatch, diffSince } from './fold.ts'
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
} from './job.ts'
export { defaultLimits, type Limits } from './limits.ts'
export { LiveJob } from './live-job.ts'
export {
  countItems,
  getAmount,
  getItemsByStatus,
  getProgressPercent,
  isStalled,
  isTerminalStatus,
} from './selectors.ts'
export type { EndData, EndReason, ManyJobs, PingData, SnapshotData, StreamMessage } from './wire.ts'
