import { useEffect } from 'preact/hooks'
import { operatorConnection } from '../../page.ts'
import { Trouble } from '../../parts/notice.tsx'
import { text } from '../../text.ts'
import { operatorFigures } from './figures-signal.ts'
import { LastHour } from './last-hour.tsx'
import { Quotas } from './quotas.tsx'
import { Store } from './store.tsx'
import { Watchers } from './watchers.tsx'

/** What the process does, and what its store has, live. */
export function ProcessFigures() {
  useEffect(() => {
    operatorConnection.value = operatorFigures
  }, [])
  const figures = operatorFigures.figures.value
  return (
    <>
      <Trouble error={operatorFigures.error.value} />
      {figures ? (
        <>
          <LastHour history={figures.history} process={figures.process} />
          <div class="pair">
            <Watchers streams={figures.streams} />
            <Store store={figures.store} />
          </div>
          {figures.store && <Quotas store={figures.store} limits={figures.limits} />}
        </>
      ) : (
        <p class="muted">{text.loading}</p>
      )}
    </>
  )
}
