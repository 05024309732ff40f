import type { Job } from '../../../shared/document/job.ts'
import type { JobSignal } from '../../signals/job-signal.ts'
import { describeAge, type JobWords } from '../../text/words.ts'
import { format } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { Chip } from '../parts/icon.tsx'
import { Notice } from '../parts/notice.tsx'
import { ProgressBar } from '../parts/progress-bar.tsx'
import { Refusal } from '../refusal.ts'
import { text } from '../text.ts'
import { Controls } from './controls.tsx'

interface JobHeadProps {
  signals: JobSignal
  job: Job
  words: JobWords
  onShowFailures(): void
}

/** The head of a job's page: state, progress, time left. */
export function JobHead({ signals, job, words, onShowFailures }: JobHeadProps) {
  const { percent, line, aside, action } = words
  const share = percent === undefined ? undefined : format.percent(percent)
  const message = job.message === line ? undefined : (job.progress.message ?? job.message)
  const isGone = signals.error.value === 'not-found' || signals.error.value === 'expired'
  return (
    <section class="card job-head">
      <div class="job-title">
        <p class="kind">
          <Chip words={words} isPausing={words.state === 'running' && job.pauseRequested} />
          <bdi class="muted">{text.job.kindAndAge(job.kind, describeAge(job, signals.now.value, format))}</bdi>
        </p>
        <Heading>{job.title}</Heading>
      </div>
      {!isGone && <Controls job={job} words={words} />}
      <div class="job-progress">
        <ProgressBar words={words} label={job.title} big />
        <p class="figures">
          {share !== undefined && share !== aside && share !== line && words.state === 'running' && (
            <b aria-hidden="true">
              <bdi>{share}</bdi>
            </b>
          )}
          <bdi class="line" aria-hidden="true">
            {line}
          </bdi>
          {aside !== undefined && (
            <bdi class="aside" aria-hidden="true">
              {aside}
            </bdi>
          )}
          {action !== undefined && (
            <button type="button" class="link aside" onClick={onShowFailures}>
              {action}
            </button>
          )}
        </p>
        {message !== undefined && (
          <p class="message muted" dir="auto">
            {message}
          </p>
        )}
        {signals.error.value === 'expired' && <Notice error={new Refusal(401)} />}
      </div>
    </section>
  )
}
