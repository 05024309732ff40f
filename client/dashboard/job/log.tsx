import { Component } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Job, LogRow } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { down } from '../../element/icons.ts'
import { format, toTheSecond } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { Pure } from '../parts/pure.ts'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'
import { onDemand } from './on-demand.ts'

/** Pixels from the end within which a reader counts as being at it. */
const NEAR = 8

/** The newest log lines. Scrolls along while the reader is at the end, otherwise not at all. */
export function Log({ job }: { job: Job }) {
  const box = useRef<HTMLElement>(null)
  const [following, setFollowing] = useState(true)
  const [search, setSearch] = useState('')
  const { logCount } = job
  const words = search.trim().toLowerCase()
  const logs = words === '' ? job.logs : job.logs.filter(({ message }) => message.toLowerCase().includes(words))
  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [job, following])
  const onScroll = () => {
    const { current } = box
    if (current) setFollowing(current.scrollHeight - current.scrollTop - current.clientHeight <= NEAR)
  }
  if (job.logs.length === 0) return null
  const isAll = words === ''
  return (
    <section class="card log">
      <div class="section-head">
        <h2>{text.job.log}</h2>
        {isAll && logCount > logs.length && (
          <span class="muted">{text.job.logWindow(format.number(logs.length), format.number(logCount))}</span>
        )}
        {!isAll && <span class="muted">{text.job.logFound(format.number(logs.length))}</span>}
        <input
          type="search"
          aria-label={text.job.searchLog}
          placeholder={text.job.searchLog}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <onDemand.Save job={job} what="log" />
        {following && !isTerminalStatus(job.status) && <span class="muted aside">{text.job.following}</span>}
        {!following && (
          <button type="button" class="quiet small aside" onClick={() => setFollowing(true)}>
            <Icon icon={down} />
            {text.job.follow}
          </button>
        )}
      </div>
      <Scrollable class="log-box mono" label={text.job.log} box={box} onScroll={onScroll}>
        {chunksOf(logs, isAll ? logCount : logs.length).map(({ number, rows }) => (
          <LogLines key={number} rows={rows} />
        ))}
      </Scrollable>
    </section>
  )
}

/** The log in blocks that stay the same while it grows: by line number since the start of the job. */
function chunksOf(logs: readonly LogRow[], logCount: number): { number: number; rows: readonly LogRow[] }[] {
  const dropped = logCount - logs.length
  const chunks = []
  for (let number = Math.floor(dropped / LINES); number * LINES < logCount; number++) {
    const start = number * LINES - dropped
    chunks.push({ number, rows: logs.slice(Math.max(0, start), start + LINES) })
  }
  return chunks
}

/** A line of the log. Levels that need attention are named, not only coloured. */
class LogLine extends Pure<{ row: LogRow }> {
  override render() {
    const { at, level, message } = this.props.row
    return (
      <div class={level}>
        <time dateTime={at}>{toTheSecond(Date.parse(at))}</time>
        <span dir="auto">
          {(level === 'warn' || level === 'error') && <b>{text.levels[level]} </b>}
          {message}
        </span>
      </div>
    )
  }
}

/** Lines of one block: blocks out of sight are skipped in layout and paint. */
const LINES = 20

/** Consecutive log lines. Lines never change, so a block with the same first and last line is not rendered again. */
class LogLines extends Component<{ rows: readonly LogRow[] }> {
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
