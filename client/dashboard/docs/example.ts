import { type OpenApi, resolve, type Schema } from './openapi.ts'

/** Schemas inside each other that are followed: one may hold itself. */
const DEPTH = 6

/** Values that say more than their type, by the name of the field. */
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

/** A value that a schema allows, with what it requires and nothing more. */
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
      // A body with nothing in it shows nobody what could be.
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
