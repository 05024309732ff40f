import { type OpenApi, resolve, type Schema } from './openapi.ts'

/** The depth of nested schemas that is followed: schemas may be recursive. */
const DEPTH = 6

/** Example values by field name. */
const known: Readonly<Record<string, unknown>> = {
  id: 'import-7',
  kind: 'import',
  title: 'Import customers.csv',
  unit: 'rows',
  seconds: 3600,
  done: 13,
  total: 100,
  type: 'progress',
}

/** The smallest value that a schema allows. */
export function createExample(schema: Schema, api: OpenApi, name = '', depth = 0): unknown {
  const found = resolve(schema, api)
  if (found.const !== undefined) return found.const
  if (found.enum) return found.default ?? found.enum[0]
  if (name in known) return known[name]
  if (depth > DEPTH) return {}
  const [first] = found.anyOf ?? found.oneOf ?? found.allOf ?? []
  if (first) return createExample(first, api, name, depth + 1)
  if (found.default !== undefined) return found.default
  switch (found.type) {
    case 'object': {
      const required = found.required ?? []
      // An empty body is no example.
      const shown = required.length > 0 ? required : Object.keys(found.properties ?? {})
      return Object.fromEntries(
        shown.map((field) => [field, createExample(found.properties?.[field] ?? {}, api, field, depth + 1)]),
      )
    }
    case 'array':
      return [createExample(found.items ?? {}, api, name, depth + 1)]
    case 'number':
    case 'integer':
      return found.minimum ?? 1
    case 'boolean':
      return true
    default:
      return name
  }
}
