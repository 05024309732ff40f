import type { Job } from '../../../shared/job.ts'
import { format } from '../page.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'

/** What went wrong without ending the job, newest first. */
export function Errors({ job, now }: { job: Job; now: number }) {
  const { errors, errorCount } = job
  if (errors.length === 0) return null
  const shown = format.number(errors.length)
  return (
    // What stands under a failed item is said again here: no need to see it twice at once.
    <details class="card errors" open={job.itemCounts.failed === 0}>
      <summary>
        <h2>{text.job.errors}</h2>
        <span class="muted">
          {errorCount > errors.length ? text.job.errorWindow(shown, format.number(errorCount)) : shown}
        </span>
      </summary>
      <Scrollable class="error-box" label={text.job.errors}>
        <ol>
          {[...errors].reverse().map(({ version, at, message, code, itemId }) => (
            <li key={version}>
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
          ))}
        </ol>
      </Scrollable>
    </details>
  )
}
