import { BATCHES_LIMIT } from '../../../shared/document/limits.ts'
import { auditQuerySchema, listQuerySchema, removeQuerySchema, sessionQuerySchema } from '../../../shared/wire/api.ts'
import { MAX_PACE_SECONDS } from '../../services/kit/pace.ts'
import { CLOUD_EVENTS_LIMIT } from '../body/cloud-event.ts'
import { operationPaths, pagePaths } from './page-paths.ts'
import {
  answer,
  apiCall,
  header,
  id,
  idempotency,
  ifNoneMatch,
  type Json,
  json,
  parametersOf,
  parts,
  problem,
  query,
  ref,
  since,
  stream,
} from './parts.ts'
import { webhookPaths } from './webhook-paths.ts'

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

/** The `paths` of the OpenAPI description. */
export function createPaths(): Json {
  const operation = (what: string) => apiCall(what, { 202: answer('Recorded', 'JobHeader') }, { parameters: [id] })
  return {
    '/api/jobs': {
      post: apiCall(
        'Create a job; for an owner other than yourself with jobs:assign',
        { 201: answer('Created', 'Job'), 200: answer('Created before by the same request', 'Job') },
        { parameters: [idempotency], requestBody: { required: true, content: json(ref('CreateJob')) } },
      ),
      get: apiCall(
        'List your jobs, newest first',
        { 200: answer('A page of jobs', 'JobList') },
        { parameters: parametersOf(listQuerySchema) },
      ),
      delete: apiCall(
        'Remove your ended jobs; those of another owner with jobs:admin',
        { 202: answer('They are being removed') },
        { parameters: parametersOf(removeQuerySchema) },
      ),
    },
    '/api/jobs/{id}': {
      get: apiCall(
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
      delete: apiCall('Remove a job', { 204: answer('Removed') }, { parameters: [id] }),
    },
    '/api/jobs/{id}/answers/{ask}': {
      post: apiCall(
        'Answer what a job asks: the first answer counts',
        { 202: answer('Answered: the header of the job', 'JobHeader') },
        {
          parameters: [id, { ...id, name: 'ask', description: 'Id of the ask.' }],
          requestBody: { required: true, content: json(ref('Answer')) },
        },
      ),
    },
    '/api/jobs/{id}/retries': {
      get: apiCall(
        'Jobs that do the work of an ended one again, the newest first',
        { 200: answer('Their headers, 20 at most', 'JobList') },
        { parameters: [id] },
      ),
    },
    '/api/jobs/{id}/events': {
      post: apiCall(
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
      post: apiCall(
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
    '/api/cloudevents': {
      post: apiCall(
        'Publish CloudEvents 1.0: structured, in a batch, or binary, with the attributes in headers',
        {
          200: {
            description:
              'The receipt; to a batch an answer to each event, in order: its receipt, or why it was refused',
            content: json({
              anyOf: [ref('Receipt'), { type: 'array', items: { anyOf: [ref('Receipt'), ref('Problem')] } }],
            }),
          },
        },
        {
          parameters: ['specversion', 'id', 'source', 'type', 'subject'].map((name) =>
            header(`ce-${name}`, `In the binary mode: the attribute ${name}.`),
          ),
          requestBody: {
            required: true,
            content: {
              'application/cloudevents+json': { schema: ref('CloudEvent') },
              'application/cloudevents-batch+json': {
                schema: { type: 'array', items: ref('CloudEvent'), maxItems: CLOUD_EVENTS_LIMIT },
              },
              ...json({ type: 'object', description: 'In the binary mode: the data, without the type.' }),
            },
          },
        },
      ),
    },
    '/api/report': {
      get: apiCall('A WebSocket to publish events: see the document about the wire', {
        101: answer('A WebSocket'),
        default: problem,
      }),
    },
    '/api/jobs/{id}/progress': {
      get: apiCall(
        'Follow a job',
        { 200: stream, 204: answer('The job has ended, and the client is up to date') },
        {
          parameters: [id, since, parts, query('token', 'A watch token.'), header('Last-Event-ID', 'Wins over since.')],
        },
      ),
    },
    '/api/progress': {
      get: apiCall(
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
      post: apiCall(
        'Create a token for one job',
        { 201: answer('A token', 'Token') },
        { parameters: [id], requestBody: { content: json(ref('CreateToken')) } },
      ),
      delete: apiCall(
        'Revoke all watch and publish tokens of a job, and close the streams that they opened; as its owner or creator',
        { 204: answer('Revoked') },
        { parameters: [id] },
      ),
    },
    '/api/sign-in-links': {
      post: apiCall(
        'Create a link that signs a person in, once, within ten minutes; with admin, as an administrator. For jobs:admin',
        { 201: answer('A link', 'SignInLink') },
        { requestBody: { required: true, content: json(ref('CreateSignInLink')) } },
      ),
    },
    '/api/sessions': {
      get: apiCall(
        "List your sessions; everyone's, or those of sub, with jobs:admin",
        { 200: answer('A page of sessions', 'SessionList') },
        { parameters: parametersOf(sessionQuerySchema) },
      ),
    },
    '/api/sessions/{id}': {
      delete: apiCall(
        'End a session: its cookie, the tokens and links that it made and the sessions from these are refused, their streams close',
        { 204: answer('Ended') },
        { parameters: [{ ...id, description: 'The id of the session.' }] },
      ),
    },
    ...webhookPaths,
    '/api/audit': {
      get: apiCall(
        'List who signed in, created, revoked and deleted what, and who was refused, newest first. For jobs:admin',
        { 200: answer('A page of records', 'AuditList') },
        { parameters: parametersOf(auditQuerySchema) },
      ),
    },
    '/api/operator': {
      get: apiCall('Read the figures of the process that answers, and of its store. For jobs:admin without a tenant', {
        200: answer('The figures', 'Operator'),
      }),
    },
    '/api/operator/progress': {
      get: apiCall('Follow these figures: each message is a snapshot of them', { 200: stream }),
    },
    ...operationPaths,
    ...pagePaths,
    '/api/services/{name}': {
      post: apiCall(
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
