import { useEffect, useRef, useState } from 'preact/hooks'
import { jobPath } from '../../../shared/wire/paths.ts'
import { useJobProgress } from '../../signals/use-job-progress.ts'
import type { JobState } from '../../text/job-language.ts'
import { describeJob, type JobWords } from '../../text/words.ts'
import { call } from '../api.ts'
import { base, viewer } from '../navigation.ts'
import { format, useAnnouncements, useProgressIcon, useTitle } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { Refusal } from '../refusal.ts'
import { text } from '../text.ts'
import { AsksLoader } from './asks-loader.tsx'
import { Details } from './details.tsx'
import { Errors } from './errors.tsx'
import { Items } from './items/items.tsx'
import { JobHead } from './job-head.tsx'
import { Log } from './log.tsx'
import { onDemand } from './on-demand.ts'
import { Steps } from './steps.tsx'

/** The page of one job, live. */
export function JobPage({ id }: { id: string }) {
  const signals = useJobProgress(id, { baseUrl: base.href, viewer })
  const job = signals.job.value
  const words = describeJob(
    {
      job,
      connection: signals.connection.value,
      now: signals.now.value,
      lastSeen: signals.lastSeen.value,
      rate: signals.rate.value,
      timeLeft: signals.timeLeft.value,
    },
    format,
  )
  const items = useRef<HTMLElement>(null)
  const [showFailed, setShowFailed] = useState(0)
  const isMissing = useMissing(id, job !== undefined)
  const line = isMissing && !job ? format.language.notFound : words.line
  useTitle(job ? titleOf(words, job.title) : line)
  useProgressIcon(job && words)
  useAnnouncements(words, job?.title)
  if (!job) return <JobMissing state={isMissing ? 'not-found' : words.state} line={line} />
  const showFailures = () => {
    setShowFailed(showFailed + 1)
    items.current?.scrollIntoView({ block: 'start' })
  }
  return (
    <>
      <JobHead signals={signals} job={job} words={words} onShowFailures={showFailures} />
      <AsksLoader job={job} />
      <div class="job-grid">
        {job.steps.length > 0 && <Steps job={job} now={signals.now.value} />}
        <div class="job-main">
          {job.result !== undefined && job.result !== null && <onDemand.Result kind={job.kind} result={job.result} />}
          <Items job={job} showFailed={showFailed} box={items} />
          <onDemand.Timeline job={job} now={signals.now.value} />
          <Errors job={job} now={signals.now.value} />
          <Log job={job} />
        </div>
        <div class="job-more">
          <Details job={job} now={signals.now.value} />
          <onDemand.Embed jobId={id} />
        </div>
      </div>
    </>
  )
}

/** The progress comes first, so that a narrow tab still shows it. */
function titleOf({ percent, chip, state }: JobWords, title: string): string {
  const short = state === 'running' && percent !== undefined ? format.percent(percent) : chip
  return short === undefined ? title : text.job.pageTitle(short, title)
}

/** Whether the server says that there is no such job. The stream would believe it only the second time, some seconds later. */
function useMissing(id: string, isThere: boolean): boolean {
  const [isMissing, setMissing] = useState(false)
  useEffect(() => {
    if (isThere) return
    call(`${jobPath(id)}?parts=header`).catch((error) => setMissing(error instanceof Refusal && error.status === 404))
  }, [])
  return isMissing
}

/** Shown in place of a job that is loading, missing or no longer visible. */
function JobMissing({ state, line }: { state: JobState; line: string }) {
  return (
    <section class="card blank">
      <Heading>{line}</Heading>
      {state === 'expired' && (
        <button type="button" class="primary" onClick={() => location.reload()}>
          {text.reload}
        </button>
      )}
      {state === 'not-found' && <a href="./">{text.toJobs}</a>}
    </section>
  )
}
