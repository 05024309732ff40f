import { Component } from 'preact'
import type { LogRow } from '../../../shared/job.ts'
import { LogLine } from './log-line.tsx'

/** Lines that are drawn together, and together left out of layout and paint while they are out of sight. */
export const LINES = 20

/** Lines of the log that follow each other. A line never changes: those that begin and end alike are the same, and stand as drawn. */
export class LogLines extends Component<{ rows: readonly LogRow[] }> {
  override shouldComponentUpdate({ rows }: { rows: readonly LogRow[] }): boolean {
    const before = this.props.rows
    return rows[0] !== before[0] || rows.at(-1) !== before.at(-1)
  }

  override render() {
    return (
      <div class="lines">
        {this.props.rows.map((row) => (
          <LogLine key={row.version} row={row} />
        ))}
      </div>
    )
  }
}
