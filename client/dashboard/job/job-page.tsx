import { useRef, useState } from 'preact/hooks'
import { useJobProgress } from '../../signals/use-job-progress.ts'
import { describeJob, type JobWords } from '../../text/words.ts'
import { base, viewer } from '../navigation.ts'
import { format, useAnnouncements, useTitle } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { text } from '../text.ts'
import { AsksLoader } from './asks-loader.tsx'
import { Details } from './details.tsx'
import { Embed } from './embed.tsx'
import { Errors } from './errors.tsx'
import { Items } from './items/items.tsx'
import { JobHead } from './job-head.tsx'
import { Log } from './log.tsx'
import { Result } from './result.tsx'
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
  useTitle(job ? titleOf(words, job.title) : words.line)
  useAnnouncements(words, job?.title)
  if (!job) return <JobMissing words={words} />
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
          {job.result !== undefined && job.result !== null && <Result kind={job.kind} result={job.result} />}
          <Items job={job} showFailed={showFailed} box={items} />
          <Errors job={job} now={signals.now.value} />
          <Log job={job} />
        </div>
        <div class="job-more">
          <Details job={job} now={signals.now.value} />
          <Embed jobId={id} />
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

/** Shown in place of a job that is loading, missing or no longer visible. */
function JobMissing({ words }: { words: JobWords }) {
  return (
    <section class="card blank">
      <Heading>{words.line}</Heading>
      {words.state === 'expired' && (
        <button type="button" class="primary" onClick={() => location.reload()}>
          {text.reload}
        </button>
      )}
      {words.state === 'not-found' && <a href="./">{text.toJobs}</a>}
    </section>
  )
}
