import { type AppOptions, createApp, type Milepost } from '../app.ts'
import type { Config } from '../config.ts'
import { assets } from '../generated/assets.ts'
import { type Serve, serveAt } from '../http/request/base-path.ts'
import type { WebhookTransport } from '../webhooks/transport.ts'
import { logAudit, logError, logRequest } from './console-log.ts'

/** The options that depend on the runtime. */
type Parts = Pick<
  AppOptions,
  | 'engine'
  | 'addressOf'
  | 'hosts'
  | 'openStream'
  | 'upgradeWebSocket'
  | 'services'
  | 'sha256'
  | 'processMetrics'
  | 'subscriptionsPerStream'
> & { webhookTransport: WebhookTransport }

/**
 * Creates the app for a configuration, and the handler that serves it under its base path.
 *
 * @param isTerminal whether people read the server log as it is written
 */
export function configuredApp(
  config: Config & { secret: string[] },
  { isTerminal = false, webhookTransport: transport, ...parts }: Parts & { isTerminal?: boolean },
): { app: Milepost; serve: Serve } {
  const { secret, issuer, audience, tokenSeconds, jwksUrl, oidc, subClaim, tenantClaim, scopeClaim, log } = config
  const { origins, publicOrigin, trustedProxies, hstsSeconds, frameMs, pingSeconds, limits } = config
  const { basePath, retentionSeconds, auditSeconds, webhooks } = config
  const app = createApp({
    auth: {
      secret,
      issuer,
      audience,
      tokenSeconds,
      jwks: jwksUrl === undefined ? undefined : { url: jwksUrl },
      subClaim,
      tenantClaim,
      scopeClaim,
    },
    oidc: oidc && { ...oidc, subClaim, tenantClaim, scopeClaim },
    origins,
    publicOrigin,
    trustedProxies,
    hstsSeconds,
    frameMs,
    pingSeconds,
    retentionSeconds,
    limits,
    assets,
    webhooks: { ...webhooks, transport },
    auditSeconds,
    ...(log.includes('requests') && { onRequest: (record) => logRequest(record, isTerminal) }),
    ...(log.includes('audit') && { onAudit: (record) => logAudit(record, isTerminal) }),
    ...(log.length > 0 && { onError: logError(isTerminal) }),
    ...parts,
  })
  return { app, serve: serveAt(basePath, app) }
}
