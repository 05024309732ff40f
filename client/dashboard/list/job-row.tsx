import type { JobListSignal, JobRow } from '../../signals/job-list-signal.ts'
import { describeAge, describeJob } from '../../text/words.ts'
import { format } from '../page.ts'
import { Chip } from '../parts/icon.tsx'
import { ProgressBar } from '../parts/progress-bar.tsx'
import { ALL_JOBS, toHref } from '../route.ts'
import { text } from '../text.ts'
import { select, selection } from './selection.ts'
import { owner, seesEveryone, whose } from './whose-jobs.ts'

interface JobListRowProps {
  row: JobRow
  list: JobListSignal
  /** Its place in the list, from 1, and how many there are: most of them are not drawn. */
  place: number
  count: number
}

/** A job in the list: its state, what it is, how far it is and when it will be over. All of it leads to its page. */
export function JobListRow({ row, list, place, count }: JobListRowProps) {
  const { job, rate, timeLeft } = row
  const now = list.now.value
  const connection = list.connection.value
  // The header shows a lost connection; rows keep their last state.
  const isLost = connection === 'reconnecting' || connection === 'offline'
  const seenAt = isLost ? (list.lastSeen.value ?? now) : now
  const words = describeJob({ job, connection: isLost ? 'live' : connection, now: seenAt, rate, timeLeft }, format)
  // The end of the row has the time left, or the end time.
  const isTimeLeft = words.state === 'running' && words.aside !== undefined
  const aside = isTimeLeft ? undefined : words.aside
  return (
    <li class="job-row" aria-setsize={count} aria-posinset={place}>
      <span class="state">
        {selection.value && (
          <input
            type="checkbox"
            aria-label={text.labelled(text.select, job.title)}
            checked={selection.value.has(job.id)}
            onChange={(event) => select(job.id, event.currentTarget.checked)}
          />
        )}
        <Chip words={words} isPausing={words.state === 'running' && job.pauseRequested} />
      </span>
      <span class="what">
        <a href={toHref({ page: 'job', id: job.id })} dir="auto">
          {job.title}
        </a>
        <small>{text.kindAndOwner(job.kind, <Owner name={job.owner} />)}</small>
      </span>
      <span class="progress">
        <ProgressBar words={words} label={job.title} />
        <span class="figures" aria-hidden="true">
          <span class="line">
            <bdi>{words.line}</bdi>
          </span>
          {aside !== undefined && <bdi class="aside">{aside}</bdi>}
        </span>
      </span>
      <span class="when">
        {words.state === 'running' && words.percent !== undefined && (
          <b>
            <bdi>{format.percent(words.percent)}</bdi>
          </b>
        )}
        <bdi>{isTimeLeft ? words.aside : describeAge(job, now, format)}</bdi>
      </span>
    </li>
  )
}

/** The owner of a job: in a list of everyone's jobs, the way to those of this owner. */
function Owner({ name }: { name: string }) {
  const isChoice = seesEveryone && whose.value === 'everyone' && owner.value === ''
  return isChoice ? <a href={toHref({ ...ALL_JOBS, owner: name })}>{name}</a> : <bdi>{name}</bdi>
}
