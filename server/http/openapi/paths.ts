import { z } from 'zod'
import { BATCHES_LIMIT } from '../../../shared/document/limits.ts'
import { auditQuerySchema, listQuerySchema, removeQuerySchema, sessionQuerySchema } from '../../../shared/wire/api.ts'
import { undeliveredQuerySchema, webhookSecretQuerySchema } from '../../../shared/wire/webhooks.ts'
import { MAX_PACE_SECONDS } from '../../services/kit/pace.ts'

/** A JSON object of the description. */
export type Json = Record<string, unknown>

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: Json) => ({ 'application/json': { schema } })
const answer = (description: string, schema?: string) => ({
  description,
  ...(schema ? { content: json(ref(schema)) } : {}),
})
const problem = { description: 'Refused', content: { 'application/problem+json': { schema: ref('Problem') } } }
const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Id of the job.' }
const query = (name: string, description: string, schema: Json = { type: 'string' }) => ({
  name,
  in: 'query',
  description,
  schema,
})
const header = (name: string, description: string) => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
})
const stream = { description: 'A stream of events', content: { 'text/event-stream': { schema: { type: 'string' } } } }
const parts = query('parts', 'header: without steps, items, errors and logs.', {
  type: 'string',
  enum: ['all', 'header'],
})
const since = query('since', "The client's cursor: EPOCH-VERSION, or EPOCH.GENERATION-VERSION.")
const idempotency = header(
  'Idempotency-Key',
  'A repeated request with the same key and body changes nothing, and returns the current version of the job.',
)
const ifNoneMatch = header('If-None-Match', 'An ETag that this call gave before.')

const anyone = { security: [] }
const text = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
})

/** Files are not listed: each service has fields of its own. */
const serviceForm: Json = {
  type: 'object',
  description:
    'The files: source and target for sync, files for analysis, left and right for matching. Or sample=true. paceSeconds slows the work down.',
  properties: {
    sample: { const: 'true', description: 'Sample data of Milepost, instead of files.' },
    paceSeconds: {
      type: 'integer',
      minimum: 1,
      maximum: MAX_PACE_SECONDS,
      description: 'Slows the work down to about this many seconds. Default: not slowed down.',
    },
  },
}

/** An object that has all of these fields. */
const record = (properties: Json): Json => ({ type: 'object', properties, required: Object.keys(properties) })
const ok = { type: 'string', const: 'ok' }

const operationPaths: Json = {
  '/healthz': {
    get: {
      summary: 'Liveness',
      ...anyone,
      responses: { 200: { description: 'The process is alive', content: json(record({ status: ok })) } },
    },
  },
  '/readyz': {
    get: {
      summary: 'Readiness',
      ...anyone,
      responses: {
        200: {
          description: 'The store is available',
          content: json(record({ status: ok, engine: { type: 'string' } })),
        },
        503: { ...problem, description: 'The store is unavailable' },
      },
    },
  },
  '/openapi.json': {
    get: {
      summary: 'This document',
      ...anyone,
      parameters: [ifNoneMatch],
      responses: {
        200: { description: 'OpenAPI 3.1', content: json({ type: 'object' }) },
        304: answer('Nothing changed'),
      },
    },
  },
  '/metrics': {
    get: {
      summary: 'Metrics of the server, for jobs:admin without a tenant',
      responses: { 200: text('application/openmetrics-text', 'OpenMetrics'), '4XX': problem },
    },
  },
}

const html = (description: string) => text('text/html', description)
const signedIn = (summary: string, more: Json = {}) => ({
  get: {
    summary,
    security: [{ session: [] }],
    ...more,
    responses: { 200: html('The page'), 401: html('How to sign in') },
  },
})

const pagePaths: Json = {
  '/': signedIn('The dashboard: all of your jobs'),
  '/jobs/{id}': signedIn("One job's page", { parameters: [id] }),
  '/operator': signedIn('The page of administrators'),
  '/docs': { get: { summary: 'The documentation', ...anyone, responses: { 200: html('The page') } } },
  '/docs/{page}': {
    get: {
      summary: 'A page of the documentation',
      ...anyone,
      parameters: [
        {
          ...id,
          name: 'page',
          description: 'app, wire, reporting, webhooks, errors, settings, running, engines or api.',
        },
      ],
      responses: { 200: html('The page'), 404: problem },
    },
  },
  '/sign-in': {
    get: {
      summary: 'Sign in with a code that works once',
      ...anyone,
      parameters: [{ ...query('code', 'The code of a sign-in link.'), required: true }],
      responses: {
        200: answer('To HEAD, which does not redeem the code'),
        303: answer('Signed in: on to the dashboard'),
        401: html('How to get a code'),
      },
    },
    post: {
      summary: 'Sign in with an access token, from our own page',
      ...anyone,
      requestBody: {
        required: true,
        content: {
          'application/x-www-form-urlencoded': {
            schema: {
              type: 'object',
              properties: {
                token: { type: 'string', description: 'An access token.' },
                job: { type: 'string', description: 'The job whose page comes next.' },
              },
              required: ['token'],
            },
          },
        },
      },
      responses: {
        303: answer('Signed in: on to the dashboard, or to the page of the job'),
        400: problem,
        401: html('Why not, and how to sign in'),
        403: { ...problem, description: 'From a page of another site' },
        413: problem,
        415: problem,
      },
    },
  },
  '/sign-out': {
    post: {
      summary: 'Sign out, from our own pages',
      ...anyone,
      responses: { 303: answer('Signed out'), 403: { ...problem, description: 'From a page of another site' } },
    },
  },
  '/widget.js': {
    get: {
      summary: 'The element for other pages',
      ...anyone,
      responses: { 200: text('text/javascript', 'A module') },
    },
  },
  '/widget-more.js': {
    get: {
      summary: 'What the element loads when it needs it',
      ...anyone,
      responses: { 200: text('text/javascript', 'A module') },
    },
  },
}

/** The query parameters of a schema. */
function parametersOf(schema: z.ZodType): Json[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' })
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }))
}

/** The `paths` of the OpenAPI description. */
export function createPaths(): Json {
  const call = (summary: string, responses: Json, more: Json = {}) => ({
    summary,
    ...more,
    responses: { ...responses, '4XX': problem, '5XX': problem },
  })
  const operation = (what: string) => call(what, { 202: answer('Recorded', 'JobHeader') }, { parameters: [id] })
  return {
    '/api/jobs': {
      post: call(
        'Create a job; for an owner other than yourself with jobs:assign',
        { 201: answer('Created', 'Job'), 200: answer('Created before by the same request', 'Job') },
        { parameters: [idempotency], requestBody: { required: true, content: json(ref('CreateJob')) } },
      ),
      get: call(
        'List your jobs, newest first',
        { 200: answer('A page of jobs', 'JobList') },
        { parameters: parametersOf(listQuerySchema) },
      ),
      delete: call(
        'Remove your ended jobs; those of another owner with jobs:admin',
        { 202: answer('They are being removed') },
        { parameters: parametersOf(removeQuerySchema) },
      ),
    },
    '/api/jobs/{id}': {
      get: call(
        'Read a job, or its changes since a cursor',
        {
          200: {
            description: 'The job; with parts=header, its header; with since, a patch',
            content: json({ anyOf: [ref('Job'), ref('JobHeader'), ref('Patch')] }),
          },
          304: answer('Nothing changed'),
        },
        { parameters: [id, since, parts, ifNoneMatch] },
      ),
      delete: call('Remove a job', { 204: answer('Removed') }, { parameters: [id] }),
    },
    '/api/jobs/{id}/retries': {
      get: call(
        'Jobs that do the work of an ended one again, the newest first',
        { 200: answer('Their headers, 20 at most', 'JobList') },
        { parameters: [id] },
      ),
    },
    '/api/jobs/{id}/events': {
      post: call(
        'Publish events to a job',
        { 200: answer('All events are applied', 'Receipt') },
        {
          parameters: [id, query('epoch', 'Required epoch of the job. For another epoch: 404.'), idempotency],
          requestBody: {
            required: true,
            content: {
              ...json({ anyOf: [ref('Event'), { type: 'array', items: ref('Event') }] }),
              'application/x-ndjson': { schema: { type: 'string', description: 'An event a line' } },
            },
          },
        },
      ),
    },
    '/api/events': {
      post: call(
        'Publish events to several jobs',
        {
          200: {
            description: 'An answer to each batch, in order: its receipt, or why it was refused',
            content: json({ type: 'array', items: { anyOf: [ref('Receipt'), ref('Problem')] } }),
          },
        },
        {
          requestBody: {
            required: true,
            content: json({ type: 'array', items: ref('JobEvents'), minItems: 1, maxItems: BATCHES_LIMIT }),
          },
        },
      ),
    },
    '/api/report': {
      get: call('A WebSocket to publish events: see the document about the wire', { 101: answer('A WebSocket') }),
    },
    '/api/jobs/{id}/progress': {
      get: call(
        'Follow a job',
        { 200: stream, 204: answer('The job has ended, and the client is up to date') },
        {
          parameters: [id, since, parts, query('token', 'A watch token.'), header('Last-Event-ID', 'Wins over since.')],
        },
      ),
    },
    '/api/progress': {
      get: call(
        'Follow several jobs, or all of yours',
        { 200: stream },
        {
          parameters: [
            query('job', 'A job, as ID or ID@CURSOR; up to 100.', { type: 'array', items: { type: 'string' } }),
            query('parent', 'Only the children of this job.'),
            query(
              'owner',
              'Owner of the jobs if no job is named; * for all owners (422 on Durable Objects). For jobs:admin.',
            ),
            query('token', 'Watch tokens.', { type: 'array', items: { type: 'string' } }),
            parts,
          ],
        },
      ),
    },
    '/api/jobs/{id}/cancel': { post: operation('Request the cancellation of a job') },
    '/api/jobs/{id}/pause': { post: operation('Request a pause') },
    '/api/jobs/{id}/resume': { post: operation('Request to resume') },
    '/api/jobs/{id}/tokens': {
      post: call(
        'Create a token for one job',
        { 201: answer('A token', 'Token') },
        { parameters: [id], requestBody: { content: json(ref('CreateToken')) } },
      ),
      delete: call(
        'Revoke all watch and publish tokens of a job, and close the streams that they opened; as its owner or creator',
        { 204: answer('Revoked') },
        { parameters: [id] },
      ),
    },
    '/api/sign-in-links': {
      post: call(
        'Create a link that signs a person in, once, within ten minutes; with admin, as an administrator. For jobs:admin',
        { 201: answer('A link', 'SignInLink') },
        { requestBody: { required: true, content: json(ref('CreateSignInLink')) } },
      ),
    },
    '/api/sessions': {
      get: call(
        "List your sessions; everyone's, or those of sub, with jobs:admin",
        { 200: answer('A page of sessions', 'SessionList') },
        { parameters: parametersOf(sessionQuerySchema) },
      ),
    },
    '/api/sessions/{id}': {
      delete: call(
        'End a session: its cookie, the tokens and links that it made and the sessions from these are refused, their streams close',
        { 204: answer('Ended') },
        { parameters: [{ ...id, description: 'The id of the session.' }] },
      ),
    },
    '/api/webhooks/secret': {
      get: call(
        'Get the secret by which receivers verify your webhooks; of=server: those of the settings, with jobs:admin without a tenant',
        { 200: answer('The secret', 'WebhookSecret') },
        { parameters: parametersOf(webhookSecretQuerySchema) },
      ),
    },
    '/api/webhooks/undelivered': {
      get: call(
        'List the webhooks that could not be delivered, newest first. For jobs:admin',
        { 200: answer('A page of webhooks', 'UndeliveredList') },
        { parameters: parametersOf(undeliveredQuerySchema) },
      ),
    },
    '/api/webhooks/undelivered/{id}/send': {
      post: call(
        'Send an undelivered webhook again. For jobs:admin',
        { 202: answer('It is tried as often as a new one') },
        { parameters: [{ ...id, description: 'The id in the list.' }] },
      ),
    },
    '/api/audit': {
      get: call(
        'List who signed in, created, revoked and deleted what, and who was refused, newest first. For jobs:admin',
        { 200: answer('A page of records', 'AuditList') },
        { parameters: parametersOf(auditQuerySchema) },
      ),
    },
    '/api/operator': {
      get: call('Read the figures of the process that answers, and of its store. For jobs:admin without a tenant', {
        200: answer('The figures', 'Operator'),
      }),
    },
    '/api/operator/progress': {
      get: call('Follow these figures: each message is a snapshot of them', { 200: stream }),
    },
    ...operationPaths,
    ...pagePaths,
    '/api/services/{name}': {
      post: call(
        'Start a reference service',
        { 202: answer('Started; Location is the job', 'JobHeader') },
        {
          parameters: [{ ...id, name: 'name', description: 'sync, analysis or matching.' }],
          requestBody: { content: { 'multipart/form-data': { schema: serviceForm } } },
        },
      ),
    },
  }
}
