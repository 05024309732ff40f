import { z } from 'zod'

type Schemas = Record<string, object>

/** The schemas of an OpenAPI 3.1 document, ready to check values with, by their names. Throws for one that can't be compiled. */
export function compileSchemas({ components }: { components: { schemas: Schemas } }): Record<string, z.ZodType> {
  const { schemas } = components
  return Object.fromEntries(
    Object.keys(schemas).map((name) => [name, compileSchema(schemas, { $ref: `#/components/schemas/${name}` })]),
  )
}

/** One schema that refers to the named ones. Throws for one that can't be compiled. */
export function compileSchema(schemas: Schemas, schema: object): z.ZodType {
  const moved = JSON.stringify({ ...schema, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/')
  return z.fromJSONSchema(JSON.parse(moved))
}
