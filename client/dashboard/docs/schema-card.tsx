import { FieldTable } from './field-table.tsx'
import type { Schema } from './openapi.ts'
import { describeSchema } from './openapi.ts'

/** A schema, collapsed until it is opened. */
export function SchemaCard({ name, schema }: { name: string; schema: Schema }) {
  const variants = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [schema]
  return (
    <details class="card schema">
      <summary>
        <h3>
          <code>{name}</code>
        </h3>
        {schema.description && <span class="muted">{schema.description}</span>}
      </summary>
      {variants.map((variant) =>
        variant.properties ? (
          <FieldTable
            key={describeVariant(variant)}
            caption={describeVariant(variant) ?? name}
            of={name}
            fields={Object.entries(variant.properties).map(([field, type]) => ({
              name: field,
              type: describeSchema(type),
              isNeeded: variant.required?.includes(field) === true,
              meaning: type.description,
            }))}
          />
        ) : (
          <p key={describeSchema(variant)} class="mono">
            {describeSchema(variant)}
          </p>
        ),
      )}
    </details>
  )
}

/** The name of a variant of a union: the constant of its `type`. */
function describeVariant({ properties }: Schema): string | undefined {
  const { type } = properties ?? {}
  if (type === undefined || (type.const === undefined && type.enum?.length !== 1)) return undefined
  return describeSchema(type)
}
