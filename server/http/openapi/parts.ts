import { z } from 'zod'

/** A JSON object of the description. */
export type Json = Record<string, unknown>

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
export const json = (schema: Json) => ({ 'application/json': { schema } })
export const answer = (description: string, schema?: string) => ({
  description,
  ...(schema ? { content: json(ref(schema)) } : {}),
})
export const problem = { description: 'Refused', content: { 'application/problem+json': { schema: ref('Problem') } } }
export const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Id of the job.' }
export const query = (name: string, description: string, schema: Json = { type: 'string' }) => ({
  name,
  in: 'query',
  description,
  schema,
})
export const header = (name: string, description: string) => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
})
export const stream = {
  description: 'A stream of events',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
}
export const parts = query('parts', 'header: without steps, items, errors and logs.', {
  type: 'string',
  enum: ['all', 'header'],
})
export const since = query('since', "The client's cursor: EPOCH-VERSION, or EPOCH.GENERATION-VERSION.")
export const idempotency = header(
  'Idempotency-Key',
  'A repeated request with the same key and body changes nothing, and returns the current version of the job.',
)
export const ifNoneMatch = header('If-None-Match', 'An ETag that this call gave before.')

export const anyone = { security: [] }
export const textBody = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
})

/** A call of the API, which may be refused. */
export const apiCall = (summary: string, responses: Json, more: Json = {}) => ({
  summary,
  ...more,
  responses: { ...responses, '4XX': problem, '5XX': problem },
})

/** The query parameters of a schema. */
export function parametersOf(schema: z.ZodType): Json[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' })
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }))
}
