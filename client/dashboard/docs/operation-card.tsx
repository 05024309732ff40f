import { base } from '../navigation.ts'
import { CodeBlock } from '../parts/code-block.tsx'
import { text } from '../text.ts'
import { createCurl } from './curl.ts'
import { FieldTable } from './field-table.tsx'
import { type Call, describeSchema, listAnswers, type OpenApi } from './openapi.ts'

/** An operation: summary, parameters, body, answers, and a curl command. */
export function OperationCard({ call, api }: { call: Call; api: OpenApi }) {
  const { operation, method, path, id } = call
  const words = text.api
  const bodies = Object.entries(operation.requestBody?.content ?? {})
  return (
    <section class="card call">
      <h2 id={id} tabIndex={-1}>
        {operation.summary ?? path}
      </h2>
      <p class="mono path">
        <span class={`method ${method.toLowerCase()}`}>{method}</span> {path}
      </p>
      {operation.description && <p>{operation.description}</p>}
      {operation.parameters && operation.parameters.length > 0 && (
        <FieldTable
          caption={words.parameters}
          of={`${method} ${path}`}
          fields={operation.parameters.map((parameter) => ({
            name: parameter.name,
            where: parameter.in,
            type: describeSchema(parameter.schema ?? {}),
            isNeeded: parameter.required === true,
            meaning: parameter.description ?? parameter.schema?.description,
          }))}
        />
      )}
      {bodies.length > 0 && (
        <>
          <h3>{words.body}</h3>
          <ul class="plain">
            {bodies.map(([type, { schema }]) => (
              <li key={type}>
                <code>{type}</code> <span class="muted">{schema?.description ?? describeSchema(schema ?? {})}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>{words.answers}</h3>
      <ul class="plain answers">
        {listAnswers(operation).map(({ statuses, description }) => (
          <li key={statuses}>
            <code>{statuses}</code> <span class="muted">{description}</span>
          </li>
        ))}
      </ul>
      <h3>{words.example}</h3>
      <CodeBlock label={`${method} ${path}`} code={createCurl(call, api, base)} />
    </section>
  )
}
