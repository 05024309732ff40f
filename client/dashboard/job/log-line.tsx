import type { LogRow } from '../../../shared/document/job.ts'
import { Pure } from '../parts/pure.ts'
import { text } from '../text.ts'

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** A line of the log. Levels that need attention are named, not only coloured. */
export class LogLine extends Pure<{ row: LogRow }> {
  override render() {
    const { at, level, message } = this.props.row
    return (
      <div class={level}>
        <time dateTime={at}>{clock.format(Date.parse(at))}</time>
        <span dir="auto">
          {(level === 'warn' || level === 'error') && <b>{text.levels[level]} </b>}
          {message}
        </span>
      </div>
    )
  }
}
