import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { format } from '../../page.ts'
import { Scrollable } from '../../parts/scrollable.tsx'
import { toHref } from '../../route.ts'
import { words } from '../words.ts'

const views = ['all', 'header', 'list', 'operator'] as const

/** Who has streams open. */
export function Watchers({ streams }: Pick<OperatorFigures, 'streams'>) {
  const { principals, guests, others } = streams
  const isEmpty = principals.length + guests.length === 0
  return (
    <section class="card">
      <h2>{words.watching}</h2>
      <p class="muted">{isEmpty ? words.nobody : words.watchingHint}</p>
      {!isEmpty && (
        <Scrollable class="table" label={words.watching}>
          <table>
            <thead>
              <tr>
                <th scope="col">{words.who}</th>
                {views.map((view) => (
                  <th key={view} scope="col" class="number">
                    {words.views[view]}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {principals.map(({ sub, ...counts }) => (
                <tr key={sub}>
                  <th scope="row">
                    <bdi>{sub}</bdi>
                  </th>
                  <Counts counts={counts} />
                </tr>
              ))}
              {guests.map(({ job, ...counts }) => (
                <tr key={`guests ${job}`}>
                  <th scope="row">
                    <span class="muted">{words.guestsOf}</span>{' '}
                    <a href={toHref({ page: 'job', id: job })}>
                      <bdi>{job}</bdi>
                    </a>
                  </th>
                  <Counts counts={counts} />
                </tr>
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      {others > 0 && <small class="muted">{words.others(format.number(others))}</small>}
    </section>
  )
}

function Counts({ counts }: { counts: Record<(typeof views)[number], number> }) {
  return views.map((view) => (
    <td key={view} class="number">
      {format.number(counts[view])}
    </td>
  ))
}
