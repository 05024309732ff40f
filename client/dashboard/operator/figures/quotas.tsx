import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { format } from '../../page.ts'
import { words } from '../words.ts'

/** How much principals use of what they may store. */
export function Quotas({ store, limits }: Required<Pick<OperatorFigures, 'store' | 'limits'>>) {
  const creators = store?.creators ?? []
  return (
    <section class="card quotas">
      <h2>{words.quotas}</h2>
      <p class="muted">{creators.length > 0 ? words.quotasHint : words.noQuotas}</p>
      <ul class="rows">
        {creators.map(({ sub, live, jobs, bytes }) => {
          const used = Math.max(live / limits.liveJobs, jobs / limits.keptJobs, bytes / limits.keptBytes)
          const percent = Math.min(100, used * 100)
          const parts = [
            words.quota(words.live, format.amountOf(live, limits.liveJobs, undefined)),
            words.quota(words.kept, format.amountOf(jobs, limits.keptJobs, undefined)),
            words.quota(
              words.documents,
              format.language.doneOfTotal(format.amount(bytes, 'bytes'), format.amount(limits.keptBytes, 'bytes')),
            ),
          ]
          return (
            <li key={sub} class="row">
              <strong dir="auto">{sub}</strong>
              <span class="aside" dir="auto">
                {format.percent(percent)}
              </span>
              <span class="share" aria-hidden="true">
                <span style={{ inlineSize: `${percent}%` }} />
              </span>
              <small class="muted">{parts.join(' · ')}</small>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
