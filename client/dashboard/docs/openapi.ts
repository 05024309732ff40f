/** What the page about the API reads of an OpenAPI 3.1 document. */
export interface OpenApi {
  info: { title: string; description?: string }
  paths: Record<string, Record<string, ApiOperation>>
  components?: { schemas?: Record<string, Schema> }
}

interface ApiOperation {
  summary?: string
  description?: string
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, Media> }
  responses: Record<string, { description?: string; content?: Record<string, Media> }>
}

interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
  schema?: Schema
}

interface Media {
  schema?: Schema
}

/** A JSON Schema, as far as the page shows it. */
export interface Schema {
  $ref?: string
  type?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  const?: unknown
  default?: unknown
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  format?: string
  minimum?: number
  maximum?: number
  nullable?: boolean
  additionalProperties?: Schema | boolean
}

/** An operation of the API, with a unique id. */
export interface Call {
  id: string
  method: string
  path: string
  operation: ApiOperation
}

const methods = ['get', 'post', 'put', 'patch', 'delete']

/** The operations of an API, in the order of its description. */
export function listCalls({ paths }: OpenApi): Call[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => methods.includes(method))
      .map(([method, operation]) => ({
        id: `${method}${path.replace(/[^A-Za-z0-9]+/g, '-')}`,
        method: method.toUpperCase(),
        path,
        operation,
      })),
  )
}

/** The answers of an operation, statuses with the same meaning together. */
export function listAnswers({ responses }: ApiOperation): { statuses: string; description: string }[] {
  const byDescription = Map.groupBy(Object.entries(responses), ([, { description }]) => description ?? '')
  return [...byDescription].map(([description, same]) => ({
    statuses: same.map(([status]) => status).join(', '),
    description,
  }))
}

/** The name of the schema that a reference points to. */
function refName({ $ref }: Schema): string | undefined {
  return $ref?.slice($ref.lastIndexOf('/') + 1)
}

/** A schema, with a reference resolved. */
export function resolve(schema: Schema, api: OpenApi): Schema {
  const name = refName(schema)
  return name === undefined ? schema : (api.components?.schemas?.[name] ?? {})
}

/** A type in a few words: `string`, `"a" or "b"`, `list of Event`. */
export function describeSchema(schema: Schema): string {
  const name = refName(schema)
  if (name !== undefined) return name
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(describeSchema))].join(' or ')
  if (schema.type === 'array') return `list of ${describeSchema(schema.items ?? {})}`
  return schema.type ?? 'anything'
}
