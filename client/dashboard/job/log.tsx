import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Job, LogRow } from '../../../shared/job.ts'
import { isTerminalStatus } from '../../../shared/selectors.ts'
import { down } from '../../icons.ts'
import { format } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { Scrollable } from '../parts/scrollable.tsx'
import { text } from '../text.ts'
import { LogLine } from './log-line.tsx'

/** Pixels from the end within which a reader counts as being at it. */
const NEAR = 8

/** The newest lines of the log. It follows for as long as the reader is at its end, and never moves what is being read. */
export function Log({ job }: { job: Job }) {
  const box = useRef<HTMLElement>(null)
  const [following, setFollowing] = useState(true)
  const { logs, logCount } = job
  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [job, following])
  const onScroll = () => {
    const { current } = box
    if (current) setFollowing(current.scrollHeight - current.scrollTop - current.clientHeight <= NEAR)
  }
  // A line never changes, so what was drawn of it stands: only new ones cost anything.
  const drawn = useMemo(() => new WeakMap<LogRow, preact.JSX.Element>(), [])
  const draw = (row: LogRow) => {
    const known = drawn.get(row)
    if (known) return known
    const line = <LogLine key={row.version} row={row} />
    drawn.set(row, line)
    return line
  }
  if (logs.length === 0) return null
  return (
    <section class="card log">
      <div class="section-head">
        <h2>{text.job.log}</h2>
        {logCount > logs.length && (
          <span class="muted">{text.job.logWindow(format.number(logs.length), format.number(logCount))}</span>
        )}
        {following && !isTerminalStatus(job.status) && <span class="muted aside">{text.job.following}</span>}
        {!following && (
          <button type="button" class="quiet small aside" onClick={() => setFollowing(true)}>
            <Icon icon={down} />
            {text.job.follow}
          </button>
        )}
      </div>
      <Scrollable class="log-box mono" label={text.job.log} box={box} onScroll={onScroll}>
        {logs.map(draw)}
      </Scrollable>
    </section>
  )
}
