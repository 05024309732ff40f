import { refName, type Schema } from './openapi.ts'

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
