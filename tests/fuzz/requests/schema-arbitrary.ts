import fc from 'fast-check'
import { hostileText } from './hostile.ts'

/** The parts of JSON Schema that the description of the API makes use of. */
export interface Schema {
  $ref?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  type?: string | string[]
  format?: string
  pattern?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
}

/** Few, so that requests meet each other's rows again and again. */
const rowIds = ['a', 'b', 'c', '__proto__', '😀', 'a/b']

const plainText = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('running', 'completed', 'test', 'files', ...rowIds) },
  { weight: 1, arbitrary: hostileText },
)

/** Values of a schema, so many of them valid that what they do is done: by their names, texts are what is expected there. */
export function arbitraryOf(schema: Schema, schemas: Record<string, Schema>, name = ''): fc.Arbitrary<unknown> {
  const of = (inner: Schema, key = name) => arbitraryOf(inner, schemas, key)
  if (schema.$ref !== undefined) {
    const target = schemas[schema.$ref.split('/').at(-1) ?? '']
    if (!target) throw new Error(`There is no schema ${schema.$ref}`)
    return of(target)
  }
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return fc.oneof(...choices.map((choice) => of(choice)))
  if (schema.allOf?.[0]) return of(schema.allOf[0])
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type) => of({ ...schema, type })))
  switch (schema.type) {
    case 'object':
      return objectOf(schema, of)
    case 'array':
      return fc.array(of(schema.items ?? {}), { minLength: 1, maxLength: 4 })
    case 'integer':
    case 'number': {
      const least = Math.ceil(schema.minimum ?? schema.exclusiveMinimum ?? -10)
      const most = Math.min(schema.maximum ?? least + 1_000, least + 5_000)
      return fc.integer({ min: least, max: Math.max(least, most) })
    }
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return textOf(schema, name)
    default:
      return fc.jsonValue({ maxDepth: 1 })
  }
}

function objectOf(schema: Schema, of: (inner: Schema, key: string) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const entries = Object.entries(schema.properties ?? {})
  const model = Object.fromEntries(entries.map(([key, inner]) => [key, of(inner, key)]))
  if (entries.length === 0)
    return fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 })
  return someOf(model, schema.required ?? [])
}

/** An object with what is required, and one or two of the rest: with all of it, something would always be wrong. */
export function someOf<T>(
  model: Record<string, fc.Arbitrary<T>>,
  required: readonly string[],
): fc.Arbitrary<Record<string, T>> {
  const rest = Object.keys(model).filter((key) => !required.includes(key))
  return fc
    .tuple(
      fc.record(model),
      fc.subarray(rest, { minLength: Math.min(1, rest.length), maxLength: Math.min(2, rest.length) }),
    )
    .map(([all, chosen]) => {
      return Object.fromEntries([...required, ...chosen].flatMap((key) => (key in all ? [[key, all[key] as T]] : [])))
    })
}

/** Names between {{ }} are filled in when the request is made: see `world.ts`. */
function textOf({ format, pattern }: Schema, name: string): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constantFrom('2026-01-01T00:00:00.000Z', '9999-12-31T23:59:59Z', '2026-01-01')
  if (name === 'owner' || name === 'sub')
    return fc.constantFrom('mallory', 'victim', '*', 'mallory\0', ' victim', 'VICTIM')
  if (name === 'parentId') return fc.constantFrom('{{mine0}}', '{{theirs0}}', '{{gone}}', 'none')
  if (name === 'job') return fc.constantFrom('{{mine0}}', '{{theirs0}}', 'none')
  if (name === 'epoch') return fc.constantFrom('{{epoch}}', '{{epoch}}', '{{theirEpoch}}', '-')
  if (name === 'id' && pattern !== undefined)
    return fc.constantFrom('{{new}}', '{{new}}', '{{mine1}}', '{{theirs1}}', '{{gone}}')
  if (name === 'id' || name === 'itemId') return fc.constantFrom(...rowIds)
  return plainText
}
