import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'

interface Field {
  name: string
  /** Of a parameter: in the path, the query or the headers. */
  where?: string
  type: string
  isNeeded: boolean
  meaning?: string | undefined
}

interface FieldTableProps {
  caption: string
  /** The owner of the fields, to tell tables with the same caption apart. */
  of: string
  fields: readonly Field[]
}

/** Fields, one a line. */
export function FieldTable({ caption, of, fields }: FieldTableProps) {
  const words = text.api
  const hasPlaces = fields.some(({ where }) => where !== undefined)
  return (
    <Scrollable class="table" label={text.labelled(of, caption)}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{words.name}</th>
            {hasPlaces && <th scope="col">{words.where}</th>}
            <th scope="col">{words.type}</th>
            <th scope="col">{words.meaning}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(({ name, where, type, isNeeded, meaning }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
                {isNeeded && <span class="needed"> {words.needed}</span>}
              </th>
              {hasPlaces && <td class="muted">{where}</td>}
              <td class="mono">{type}</td>
              <td>{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  )
}
