import { useState } from 'preact/hooks'
import type { ErrorRow, Job } from '../../../shared/document/job.ts'
import { format } from '../page.ts'
import { Pure } from '../parts/pure.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'

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

/** Something that went wrong: when, what, and where. */
class ErrorLine extends Pure<{ row: ErrorRow; now: number }> {
  override render() {
    const { row, now } = this.props
    const { at, message, code, itemId } = row
    return (
      <li>
        <time dateTime={at} class="muted">
          {format.time(Date.parse(at), now)}
        </time>
        <span dir="auto">
          {message}
          {(code ?? itemId) !== undefined && (
            <small class="muted">{[code, itemId].filter((part) => part !== undefined).join(' · ')}</small>
          )}
        </span>
      </li>
    )
  }
}
