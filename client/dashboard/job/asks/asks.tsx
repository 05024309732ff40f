import { useEffect, useState } from 'preact/hooks'
import type { AnswerValue, Ask } from '../../../../shared/document/ask-schema.ts'
import type { Job, JobHeader } from '../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'
import { AskForm } from '../../../asks/ask-form.tsx'
import { askWords } from '../../../asks/words.ts'
import { say } from '../../../element/live-region.ts'
import { call } from '../../api.ts'
import { format } from '../../page.ts'
import { Notice } from '../../parts/notice.tsx'
import { Refusal } from '../../refusal.ts'
import { toHref } from '../../route.ts'

/** What a job asks and was answered, and which tries and other jobs there are of its work. */
export function Asks({ job }: { job: Job }) {
  const { asks = [] } = job
  const isOver = isTerminalStatus(job.status)
  const open = isOver ? [] : asks.filter(({ answer, expired }) => !answer && !expired)
  const closed = asks.filter((ask) => !open.includes(ask))
  const newest = open.at(-1)
  useEffect(() => {
    if (newest) say(askWords.asks(newest.message), false)
  }, [newest?.id])
  return (
    <>
      {open.map((ask) => (
        <OpenAsk key={ask.id} jobId={job.id} ask={ask} />
      ))}
      {closed.length > 0 && (
        <section class="card">
          <h2>{askWords.answered}</h2>
          <dl>
            {closed.map((ask) => (
              <div key={ask.id}>
                <dt dir="auto">{ask.message}</dt>
                <dd dir="auto">{outcomeOf(ask)}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      <Tries job={job} isOver={isOver} />
    </>
  )
}

function OpenAsk({ jobId, ask }: { jobId: string; ask: Ask }) {
  const [error, setError] = useState<unknown>()
  const send = async (value: AnswerValue) => {
    setError(undefined)
    try {
      await call(`api/jobs/${jobId}/answers/${encodeURIComponent(ask.id)}`, 'POST', {
        value,
        message: ask.message,
      })
      say(askWords.sent, false)
    } catch (failure) {
      const answered = failure instanceof Refusal ? failure.problem?.answered : undefined
      // The document brings it in a moment.
      if (answered) say(askWords.alreadyAnswered(askWords.value(answered.value), answered.by), false)
      else setError(failure)
    }
  }
  return (
    <AskForm ask={ask} time={(moment) => format.time(moment, Date.now())} send={send}>
      {error !== undefined && <Notice error={error} />}
    </AskForm>
  )
}

function outcomeOf({ answer, expired, expiresAt }: Ask): string {
  if (answer)
    return askWords.outcome(askWords.value(answer.value), answer.by, format.time(Date.parse(answer.at), Date.now()))
  return expired && expiresAt !== undefined
    ? askWords.expired(format.time(Date.parse(expiresAt), Date.now()))
    : askWords.unanswered
}

function Tries({ job, isOver }: { job: Job; isOver: boolean }) {
  const { id, attempt, retryOf } = job
  const [retries, setRetries] = useState<JobHeader[]>([])
  useEffect(() => {
    if (!isOver) return
    void call(`api/jobs/${id}/retries`)
      .then(async (response) => setRetries(((await response.json()) as { jobs: JobHeader[] }).jobs))
      .catch(() => {})
  }, [id, isOver])
  if (attempt === undefined && retryOf === undefined && retries.length === 0) return null
  return (
    <section class="card details">
      <h2>{askWords.tries}</h2>
      <dl>
        {attempt !== undefined && (
          <div>
            <dt>{askWords.attempt}</dt>
            <dd>{format.number(attempt)}</dd>
          </div>
        )}
        {retryOf !== undefined && (
          <div>
            <dt>{askWords.retryOf}</dt>
            <dd>
              <a href={toHref({ page: 'job', id: retryOf })}>{retryOf}</a>
            </dd>
          </div>
        )}
        {retries.map((retry) => (
          <div key={retry.id}>
            <dt>{askWords.retriedBy}</dt>
            <dd>
              <a href={toHref({ page: 'job', id: retry.id })} dir="auto">
                {retry.title}
              </a>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
