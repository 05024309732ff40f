import { useState } from 'preact/hooks'
import type { OperatorFigures } from '../../../shared/wire/operator.ts'
import { call } from '../api.ts'
import { format } from '../page.ts'
import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import { LastHour } from './last-hour.tsx'
import { Quotas } from './quotas.tsx'
import { Store } from './store.tsx'
import { useEvery } from './use-every.ts'
import { Watchers } from './watchers.tsx'
import { words } from './words.ts'

/** How often the figures are asked for while the page is visible: milliseconds. */
const FIGURES_MS = 5_000

/**
 * What the process does, and what its store has.
 *
 * It polls: figures are samples of a process, not documents with versions, so a stream would send the same at the same times.
 */
export function ProcessFigures() {
  const [figures, setFigures] = useState<OperatorFigures>()
  const [error, setError] = useState<unknown>()
  const load = async () => {
    try {
      setFigures(await (await call('api/operator')).json())
      setError(undefined)
    } catch (reason) {
      setError(reason)
    }
  }
  useEvery(FIGURES_MS, () => void load(), '')
  const time = (moment: string) => format.time(Date.parse(moment), Date.now())
  if (!figures) {
    return error === undefined ? <p class="muted">{text.loading}</p> : <Notice error={error} onRetry={load} />
  }
  const { process, at, history, streams, store, limits } = figures
  return (
    <>
      {error !== undefined && (
        <>
          <Notice error={error} onRetry={load} />
          <p class="muted">{words.asOf(time(at))}</p>
        </>
      )}
      <LastHour history={history} process={process} />
      <div class="pair">
        <Watchers streams={streams} />
        <Store store={store} />
      </div>
      {store && <Quotas store={store} limits={limits} />}
    </>
  )
}
