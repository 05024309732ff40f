/** Milepost as a Hono app, to be mounted inside another, and the way to report from within its process. */
export type { Grant, Principal, Scope } from './access.ts'
export { type AppOptions, createApp, type Milepost } from './app.ts'
export type { AuthOptions } from './auth.ts'
export type { Engine } from './engine.ts'
export {
  emitError,
  emitItem,
  emitLog,
  emitProgress,
  emitStatus,
  emitStep,
  type JobControl,
  JobEventEmitter,
  noControl,
  setJobEvents,
} from './job-events.ts'
export type { Service, Services, Work } from './services/kit/service.ts'
