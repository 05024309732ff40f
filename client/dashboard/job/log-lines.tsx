import { Component } from 'preact'
import type { LogRow } from '../../../shared/document/job.ts'
import { LogLine } from './log-line.tsx'

/** Lines of one block: blocks out of sight are skipped in layout and paint. */
export const LINES = 20

/** Consecutive log lines. Lines never change, so a block with the same first and last line is not rendered again. */
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
