import { z } from 'zod'
import {
  createRequestSchemas,
  jobListSchema,
  listQuerySchema,
  problemSchema,
  receiptSchema,
  tokenSchema,
} from '../shared/api.ts'
import { createEventSchema } from '../shared/events.ts'
import { jobHeaderSchema, jobSchema, patchSchema } from '../shared/job.ts'
import type { Limits } from '../shared/limits.ts'

type Json = Record<string, unknown>

/** The OpenAPI 3.1 description of the HTTP API, made from the schemas that requests are checked with. */
export function createOpenApi(limits: Limits, base: string): Json {
  const requests = createRequestSchemas(limits)
  const schemas = {
    Job: jobSchema,
    JobHeader: jobHeaderSchema,
    JobList: jobListSchema,
    Patch: patchSchema,
    Event: createEventSchema(limits),
    CreateJob: requests.createJob,
    CreateToken: requests.createToken,
    Receipt: receiptSchema,
    Token: tokenSchema,
    Problem: problemSchema,
  }
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  const { schemas: components } = z.toJSONSchema(registry, {
    target: 'openapi-3.0',
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Milepost',
      version: '0.1.0',
      description: 'Live job progress: producers append events to a job, watchers follow it over Server-Sent Events.',
    },
    servers: [{ url: base }],
    security: [{ bearer: [] }],
    paths: createPaths(),
    components: {
      schemas: components,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  }
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: Json) => ({ 'application/json': { schema } })
const answer = (description: string, schema?: string) => ({
  description,
  ...(schema ? { content: json(ref(schema)) } : {}),
})
const problem = { description: 'Refused', content: { 'application/problem+json': { schema: ref('Problem') } } }
const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'The id of the job.' }
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
const since = query('since', 'What the client has, as EPOCH-VERSION.')
const idempotency = header('Idempotency-Key', 'The same key with the same body is answered like the first time.')

function createPaths(): Json {
  const call = (summary: string, responses: Json, more: Json = {}) => ({
    summary,
    ...more,
    responses: { ...responses, '4XX': problem, '5XX': problem },
  })
  const listQuery = z.toJSONSchema(listQuerySchema, { io: 'input' }).properties ?? {}
  const operation = (what: string) => call(what, { 202: answer('Written down', 'JobHeader') }, { parameters: [id] })
  return {
    '/api/jobs': {
      post: call(
        'Create a job',
        { 201: answer('Created', 'Job'), 200: answer('Created before by the same request', 'Job') },
        { parameters: [idempotency], requestBody: { required: true, content: json(ref('CreateJob')) } },
      ),
      get: call(
        'List your jobs, newest first',
        { 200: answer('A page of jobs', 'JobList') },
        { parameters: Object.entries(listQuery).map(([name, schema]) => ({ name, in: 'query', schema })) },
      ),
    },
    '/api/jobs/{id}': {
      get: call(
        'Read a job, or what changed in it',
        {
          200: { description: 'The job; with since, a patch', content: json({ anyOf: [ref('Job'), ref('Patch')] }) },
          304: answer('Nothing changed'),
        },
        { parameters: [id, since, parts, header('If-None-Match', 'An ETag that this call gave before.')] },
      ),
      delete: call('Remove a job', { 204: answer('Removed') }, { parameters: [id] }),
    },
    '/api/jobs/{id}/events': {
      post: call(
        'Report on a job',
        { 200: answer('Applied, all of it', 'Receipt') },
        {
          parameters: [id, idempotency],
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
    '/api/jobs/{id}/progress': {
      get: call(
        'Follow a job',
        { 200: stream, 204: answer('The job has ended, and the client has all of it') },
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
            query('token', 'Watch tokens.', { type: 'array', items: { type: 'string' } }),
            parts,
          ],
        },
      ),
    },
    '/api/jobs/{id}/cancel': { post: operation('Ask for the end of a job') },
    '/api/jobs/{id}/pause': { post: operation('Ask for a pause') },
    '/api/jobs/{id}/resume': { post: operation('Ask to go on') },
    '/api/jobs/{id}/tokens': {
      post: call(
        'Make a token for one job',
        { 201: answer('A token', 'Token') },
        { parameters: [id], requestBody: { content: json(ref('CreateToken')) } },
      ),
    },
    '/api/services/{name}': {
      post: call(
        'Start a reference service',
        { 202: answer('Started; Location is the job', 'JobHeader') },
        {
          parameters: [{ ...id, name: 'name', description: 'sync, analysis or matching.' }],
          requestBody: { content: { 'multipart/form-data': { schema: { type: 'object' } } } },
        },
      ),
    },
  }
}
