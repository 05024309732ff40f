import { format } from '../page.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'
import { Figures } from './figures.tsx'
import type { AnalysisShape } from './shapes.ts'

/** The result of an analysis: word ranks, and the typical words of each file. */
export function AnalysisView({ result }: { result: AnalysisShape }) {
  const words = text.result
  const { top, table, longest } = result
  const most = top[0]?.count ?? 1
  return (
    <>
      <Figures
        figures={[
          { name: words.words, value: format.number(result.words) },
          { name: words.distinct, value: format.number(result.distinct) },
          { name: words.files, value: format.number(result.files) },
          { name: words.size, value: format.amount(result.bytes, 'bytes') },
        ]}
      />
      {result.approximate && <p class="muted">{words.approximate}</p>}
      <h3>{words.topWords}</h3>
      <ol class="ranks">
        {top.map(({ word, count }) => (
          <li key={word}>
            <span dir="auto">{word}</span>
            <span class="share" aria-hidden="true">
              <span style={{ inlineSize: `${(count / most) * 100}%` }} />
            </span>
            <span class="muted">{format.number(count)}</span>
          </li>
        ))}
      </ol>
      {longest.length > 0 && (
        <>
          <h3>{words.longest}</h3>
          <ul class="words">
            {longest.map((word) => (
              <li key={word} dir="auto">
                {word}
              </li>
            ))}
          </ul>
        </>
      )}
      {table.length > 0 && (
        <>
          <h3>{words.largest}</h3>
          <Scrollable class="table wide" label={words.largest}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{words.file}</th>
                  <th scope="col">{words.typical}</th>
                  <th scope="col" class="number">
                    {words.words}
                  </th>
                  <th scope="col" class="number">
                    {words.fileSize}
                  </th>
                </tr>
              </thead>
              <tbody>
                {table.map((file) => (
                  <tr key={file.name}>
                    <th scope="row" dir="auto">
                      {file.name}
                    </th>
                    <td dir="auto" class="word">
                      {file.typical}
                    </td>
                    <td class="number">{format.number(file.words)}</td>
                    <td class="number">{format.amount(file.bytes, 'bytes')}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrollable>
        </>
      )}
    </>
  )
}
