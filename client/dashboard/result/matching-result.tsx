import { format } from '../page.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'
import { Figures } from './figures.tsx'
import type { MatchingShape } from './shapes.ts'

/** The result of a matching: counts, and the least certain links. */
export function MatchingView({ result }: { result: MatchingShape }) {
  const words = text.result
  const { left, right, weakest } = result
  return (
    <>
      <Figures
        figures={[
          { name: words.linked, value: format.number(result.linked) },
          { name: words.exact, value: format.number(result.exact) },
          { name: words.records(left.name), value: format.number(left.records) },
          { name: words.records(right.name), value: format.number(right.records) },
        ]}
      />
      {weakest.length > 0 && (
        <>
          <h3>{words.weakest}</h3>
          <Scrollable class="table" label={words.weakest}>
            <table>
              <thead>
                <tr>
                  <th scope="col" dir="auto">
                    {left.name}
                  </th>
                  <th scope="col" dir="auto">
                    {right.name}
                  </th>
                  <th scope="col" class="number">
                    {words.confidence}
                  </th>
                </tr>
              </thead>
              <tbody>
                {weakest.map((link) => (
                  <tr key={link.left}>
                    <th scope="row" dir="auto">
                      {link.left}
                    </th>
                    <td dir="auto">{link.right}</td>
                    <td class="number">{format.percent(link.confidence)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrollable>
        </>
      )}
      <Unlinked name={left.name} records={result.unlinkedLeft} />
      <Unlinked name={right.name} records={result.unlinkedRight} />
    </>
  )
}

function Unlinked({ name, records }: { name: string; records: readonly string[] }) {
  if (records.length === 0) return null
  return (
    <>
      <h3>{text.result.unlinked(name)}</h3>
      <ul class="words">
        {records.map((record) => (
          <li key={record} dir="auto">
            {record}
          </li>
        ))}
      </ul>
    </>
  )
}
