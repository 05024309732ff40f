import type { Job } from '../../../shared/document/job.ts'
import { format } from '../page.ts'
import { toHref } from '../route.ts'
import { text } from '../text.ts'

/** Further fields of a job: people, times, metadata. */
export function Details({ job, now }: { job: Job; now: number }) {
  const words = text.facts
  const times = [
    [words.created, job.createdAt],
    [words.started, job.startedAt],
    [words.ended, job.endedAt],
    [words.expires, job.expiresAt],
  ] as const
  return (
    <section class="card details">
      <h2>{text.job.details}</h2>
      <dl>
        <Fact name={words.id} value={job.id} />
        <Fact name={words.kind} value={job.kind} />
        <Fact name={words.owner} value={job.owner} />
        <Fact name={words.createdBy} value={job.createdBy} />
        {times.map(
          ([name, at]) => at !== undefined && <Fact key={name} name={name} value={format.time(Date.parse(at), now)} />,
        )}
        {job.parentId !== undefined && (
          <div>
            <dt>{words.parent}</dt>
            <dd>
              <a href={toHref({ page: 'job', id: job.parentId })}>{job.parentId}</a>
            </dd>
          </div>
        )}
        <Fact name={words.version} value={format.number(job.version)} />
        {Object.entries(job.metadata ?? {}).map(([name, value]) => (
          <Fact key={name} name={name} value={typeof value === 'string' ? value : JSON.stringify(value)} />
        ))}
      </dl>
    </section>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt dir="auto">{name}</dt>
      <dd dir="auto">{value}</dd>
    </div>
  )
}
