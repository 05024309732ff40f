import type { JobStatus } from '../../../../shared/document/job.ts'
import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { format } from '../../page.ts'
import { Scrollable } from '../../parts/scrollable.tsx'
import { Figures } from '../../result/figures.tsx'
import { words } from '../words.ts'

/** In the order of a job's life. */
const statuses = Object.keys(words.statuses) as JobStatus[]

/** What the store has: jobs by status and kind, and its size. */
export function Store({ store }: Pick<OperatorFigures, 'store'>) {
  return (
    <section class="card">
      <h2>{words.jobs}</h2>
      {store ? <Counted store={store} /> : <p class="muted">{words.noStore}</p>}
    </section>
  )
}

function Counted({ store }: { store: NonNullable<OperatorFigures['store']> }) {
  const { countedTo, byStatus, byKind, bytes } = store
  const number = (count: number) => (count < countedTo ? format.number(count) : words.some(format.number(count)))
  const figures = statuses.map((status) => ({
    name: words.statuses[status],
    value: number(byStatus[status] ?? 0),
    tone: status === 'failed' && byStatus.failed ? ('failed' as const) : undefined,
  }))
  if (bytes !== undefined) figures.push({ name: words.size, value: format.amount(bytes, 'bytes'), tone: undefined })
  return (
    <>
      <Figures figures={figures} />
      {byKind.length > 0 && (
        <>
          <h3>{words.kinds}</h3>
          <Scrollable class="table" label={words.kinds}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{words.kind}</th>
                  <th scope="col" class="number">
                    {words.count}
                  </th>
                </tr>
              </thead>
              <tbody>
                {byKind
                  .toSorted((a, b) => b.jobs - a.jobs)
                  .map(({ kind, jobs }) => (
                    <tr key={kind}>
                      <th scope="row">
                        <bdi>{kind}</bdi>
                      </th>
                      <td class="number">{number(jobs)}</td>
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
