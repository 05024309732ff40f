import type { z } from 'zod'
import { createOpenApi } from '../../server/http/openapi/openapi.ts'
import { defaultLimits } from '../../shared/document/limits.ts'
import { compileSchema } from './compile-schemas.ts'

interface Answer {
  content?: Record<string, { schema: object }>
}

/** What `/openapi.json` says, as far as answers need it. */
export interface OpenApi {
  openapi: string
  paths: Record<string, Record<string, { responses: Record<string, Answer> }>>
  components: { schemas: Record<string, object> }
}

/** The description that answers are checked against. On every runtime a test compares it with the one that is served. */
export const described = createOpenApi(defaultLimits) as unknown as OpenApi
const { paths, components } = described
const templates = Object.keys(paths).map((path) => ({ path, segments: path.split('/') }))
const compiled = new Map<string, z.ZodType>()

/** What every address answers that there is not: who asks is refused. */
const NOTHING_HERE: Record<string, Answer> = {
  '4XX': { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
}

/**
 * Checks an answer against `/openapi.json`: its status, its type, and each field of its JSON. Streams are not read.
 *
 * @param path from where the app is mounted, without a query: `/api/jobs`
 * @throws Error that says where the answer differs from its description
 */
export async function expectDescribed(method: string, path: string, response: Response): Promise<void> {
  const fault = await faultOf(method, path, response)
  if (fault !== undefined) throw new Error(`${method} ${path} answers ${response.status}: ${fault}`)
}

async function faultOf(method: string, path: string, response: Response): Promise<string | undefined> {
  // A preflight is a matter of CORS.
  if (method === 'OPTIONS') return undefined
  const template = templateOf(path)
  const { status, headers } = response
  const operation = paths[template ?? '']?.[method === 'HEAD' ? 'get' : method.toLowerCase()]
  const responses = operation?.responses ?? NOTHING_HERE
  const key = [`${status}`, `${Math.floor(status / 100)}XX`].find((name) => name in responses)
  if (key === undefined) return 'a status that is not described'
  const { content } = responses[key] ?? {}
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  if (method === 'HEAD') return content === undefined || type in content ? undefined : `the type ${type}`
  if (content === undefined) return (await response.clone().text()) === '' ? undefined : 'a body that is not described'
  const media = content[type]
  if (media === undefined)
    return `the type ${type || '(none)'}, which is not described: ${(await response.clone().text()).slice(0, 200)}`
  if (!type.endsWith('json')) return undefined
  const name = `${template} ${method} ${key} ${type}`
  const schema = compiled.get(name) ?? compileSchema(closed(components.schemas), closed(media.schema))
  compiled.set(name, schema)
  const result = schema.safeParse(await response.clone().json())
  return result.success ? undefined : differences(result.error.issues).join('; ')
}

/** The same schema, where a field that it does not name is wrong. */
function closed<T>(schema: T): T {
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]))
  if (Array.isArray(schema)) return Object.values(inner) as T
  return ('properties' in schema ? { additionalProperties: false, ...inner } : inner) as T
}

/** `/api/jobs/{id}` for `/api/jobs/a`: of several templates the one with the most words of its own. */
function templateOf(path: string): string | undefined {
  const segments = path.split('/')
  const matches = templates.filter(
    (template) =>
      template.segments.length === segments.length &&
      template.segments.every((word, n) => (word.startsWith('{') ? segments[n] !== '' : word === segments[n])),
  )
  const variables = (words: readonly string[]) => words.filter((word) => word.startsWith('{')).length
  return matches.toSorted((one, other) => variables(one.segments) - variables(other.segments))[0]?.path
}

/** A line for each place that differs. Of alternatives, those of the one that fits best. */
function differences(issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path]
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branches = issue.errors.map((errors) => differences(errors, path))
      return branches.toSorted((one, other) => one.length - other.length)[0] ?? []
    }
    return [`${path.map(String).join('.') || 'the body'}: ${issue.message}`]
  })
}
