import { z } from 'zod'

/** The schemas of an OpenAPI 3.1 document, ready to check values with, by their names. Throws for one that can't be compiled. */
export function compileSchemas(document: object): Record<string, z.ZodType> {
  const moved = JSON.stringify(document).replaceAll('#/components/schemas/', '#/$defs/')
  const { components } = JSON.parse(moved) as { components: { schemas: Record<string, object> } }
  const compile = (name: string) => z.fromJSONSchema({ $defs: components.schemas, $ref: `#/$defs/${name}` } as never)
  return Object.fromEntries(Object.keys(components.schemas).map((name) => [name, compile(name)]))
}
