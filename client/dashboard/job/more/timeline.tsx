import type { Job } from '../../../../shared/document/job.ts'
import { format, toTheSecond } from '../../page.ts'
import { moreText } from './more-text.ts'
import { layOut } from './timeline-spans.ts'

/** When each step of a job ran, below each other: what overlapped, and what took the time. */
export function Timeline({ job, now }: { job: Job; now: number }) {
  const { from, to, rows } = layOut(job, now)
  if (rows.length < 2) return null
  return (
    <section class="card timeline">
      <h2>{moreText.timeline}</h2>
      <ol>
        {rows.map(({ step, start, width, took }) => (
          <li key={step.id}>
            <span class="name" dir="auto">
              {step.label ?? step.id}
            </span>
            <span class="lane" aria-hidden="true">
              <span class={`span ${step.status}`} style={{ '--start': `${start}%`, '--width': `${width}%` }} />
            </span>
            <bdi class="took muted">{format.duration(took)}</bdi>
          </li>
        ))}
      </ol>
      <p class="muted ends">
        <bdi>{toTheSecond(from)}</bdi>
        <bdi>{toTheSecond(to)}</bdi>
      </p>
    </section>
  )
}
