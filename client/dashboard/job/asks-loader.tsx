import type { FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Job } from '../../../shared/document/job.ts'

/** What few jobs have: asks, tries, and jobs that do their work again. The code is loaded for the first that may have them. */
export function AsksLoader({ job }: { job: Job }) {
  const isNeeded = (job.asks ?? job.attempt ?? job.retryOf ?? job.endedAt) !== undefined
  const [Asks, setAsks] = useState<FunctionComponent<{ job: Job }>>()
  useEffect(() => {
    if (isNeeded)
      import('./asks/asks.tsx').then(
        ({ Asks }) => setAsks(() => Asks),
        () => {},
      )
  }, [isNeeded])
  return Asks ? <Asks job={job} /> : null
}
