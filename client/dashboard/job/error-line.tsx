import type { ErrorRow } from '../../../shared/document/job.ts'
import { format } from '../page.ts'
import { Pure } from '../parts/pure.ts'

/** Something that went wrong: when, what, and where. */
export class ErrorLine extends Pure<{ row: ErrorRow; now: number }> {
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
