/** Milepost as a Hono app to mount inside another, and helpers to report from the same process. */

export type { AuditRecord } from '../shared/wire/api.ts'
export { type AppOptions, createApp, type Milepost } from './app.ts'
export type { Grant, Principal, Scope } from './auth/access.ts'
export type { AuthOptions } from './auth/auth.ts'
export type { AppPrincipal, Authenticate } from './auth/authenticate.ts'
export type { JwksOptions } from './auth/jwks.ts'
export type { OidcOptions } from './auth/oidc.ts'
export type { RequestRecord } from './http/request/request-log.ts'
export type { AppJobs } from './jobs/app-jobs.ts'
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
} from './jobs/emitter.ts'
export type { Engine } from './jobs/engine.ts'
export type { Service, Services, Work } from './services/kit/service.ts'
export type { WebhookRequest, WebhookTransport } from './webhooks/transport.ts'
export type { WebhookOptions } from './webhooks/webhooks.ts'
