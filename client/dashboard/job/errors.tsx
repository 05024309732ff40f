import { useState } from 'preact/hooks'
import type { Job } from '../../../shared/document/job.ts'
import { format } from '../page.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'
import { ErrorLine } from './error-line.tsx'

/** The errors of a job, newest first. */
export function Errors({ job, now }: { job: Job; now: number }) {
  const { errors, errorCount } = job
  const [isOpen, setIsOpen] = useState(false)
  if (errors.length === 0) return null
  const shown = format.number(errors.length)
  return (
    // Errors of failed items are shown with the items already.
    <details
      class="card errors"
      open={job.itemCounts.failed === 0}
      onToggle={(event) => setIsOpen(event.currentTarget.open)}
    >
      <summary>
        <h2>{text.job.errors}</h2>
        <span class="muted">
          {errorCount > errors.length ? text.job.errorWindow(shown, format.number(errorCount)) : shown}
        </span>
      </summary>
      <Scrollable class="error-box" label={text.job.errors}>
        <ol>{isOpen && errors.toReversed().map((row) => <ErrorLine key={row.version} row={row} now={now} />)}</ol>
      </Scrollable>
    </details>
  )
}
