import type { Json } from './parts.ts'

/** Names of the operations, by which generators of clients call their functions. Never change one: their users' code has it. */
const operationIds: Readonly<Record<string, string>> = {
  'POST /api/jobs': 'createJob',
  'GET /api/jobs': 'listJobs',
  'DELETE /api/jobs': 'removeEndedJobs',
  'GET /api/jobs/{id}': 'readJob',
  'DELETE /api/jobs/{id}': 'removeJob',
  'GET /api/jobs/{id}/retries': 'listRetries',
  'POST /api/jobs/{id}/events': 'publishEvents',
  'POST /api/events': 'publishToJobs',
  'POST /api/cloudevents': 'publishCloudEvents',
  'GET /api/report': 'openReport',
  'GET /api/jobs/{id}/progress': 'followJob',
  'GET /api/progress': 'followJobs',
  'POST /api/jobs/{id}/cancel': 'cancelJob',
  'POST /api/jobs/{id}/pause': 'pauseJob',
  'POST /api/jobs/{id}/resume': 'resumeJob',
  'POST /api/jobs/{id}/answers/{ask}': 'answerAsk',
  'POST /api/jobs/{id}/tokens': 'createToken',
  'DELETE /api/jobs/{id}/tokens': 'revokeTokens',
  'POST /api/sign-in-links': 'createSignInLink',
  'GET /api/sessions': 'listSessions',
  'DELETE /api/sessions/{id}': 'endSession',
  'GET /api/webhooks/secret': 'readWebhookSecret',
  'GET /api/webhooks/undelivered': 'listUndelivered',
  'POST /api/webhooks/undelivered/{id}/send': 'sendUndelivered',
  'GET /api/audit': 'listAudit',
  'GET /api/operator': 'readOperator',
  'GET /api/operator/progress': 'followOperator',
  'POST /api/services/{name}': 'startService',
  'GET /healthz': 'checkHealth',
  'GET /readyz': 'checkReadiness',
  'GET /openapi.json': 'readOpenApi',
  'GET /metrics': 'readMetrics',
  'GET /': 'showDashboard',
  'GET /jobs/{id}': 'showJob',
  'GET /operator': 'showOperator',
  'GET /docs': 'showDocs',
  'GET /docs/{page}': 'showDocsPage',
  'GET /sign-in': 'signInByLink',
  'POST /sign-in': 'signInByToken',
  'POST /sign-out': 'signOut',
  'GET /widget.js': 'loadWidget',
  'GET /widget-more.js': 'loadWidgetMore',
  'GET /widget-full.js': 'loadWidgetFull',
}

/** The same paths with the id of each operation. @throws Error for an operation without one, because generators would make up a name */
export function withOperationIds(paths: Json): Json {
  const named = Object.entries(paths).map(([path, methods]) => {
    const operations = Object.entries(methods as Record<string, Json>).map(([method, operation]) => {
      const name = `${method.toUpperCase()} ${path}`
      const operationId = operationIds[name]
      if (operationId === undefined)
        throw new Error(`${name} has no operationId: see server/http/openapi/operation-ids.ts`)
      return [method, { operationId, ...operation }]
    })
    return [path, Object.fromEntries(operations)]
  })
  return Object.fromEntries(named)
}
