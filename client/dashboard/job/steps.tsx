import type { Job, Step } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { rowIcons, stop } from '../../element/icons.ts'
import { format } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { text } from '../text.ts'

/** The stages of a job, in their order: which are over, which is under way, which follow. */
export function Steps({ job, now }: { job: Job; now: number }) {
  const isOver = isTerminalStatus(job.status)
  return (
    <section class="card steps">
      <h2>{text.job.steps}</h2>
      <ol>
        {job.steps.map((step) => {
          const { status } = step
          // Its job ended before it did.
          const isCut = isOver && status === 'running'
          return (
            <li
              key={step.id}
              class={isCut ? 'cut' : status}
              aria-current={status === 'running' && !isOver ? 'step' : undefined}
            >
              <span class="dot">
                {isCut ? (
                  <Icon icon={stop} />
                ) : (
                  status !== 'running' && status !== 'pending' && <Icon icon={rowIcons[status]} />
                )}
              </span>
              <span class="name" dir="auto">
                {step.label ?? step.id}
                <span class="unseen">
                  {' '}
                  {isCut
                    ? text.job.cut
                    : isOver && status === 'pending'
                      ? text.job.notStarted
                      : format.language.rows[status]}
                </span>
                {step.message !== undefined && <small dir="auto">{step.message}</small>}
              </span>
              <bdi class="muted">{isCut ? text.job.cut : describeStep(step, isOver ? undefined : now)}</bdi>
            </li>
          )
        })}
      </ol>
    </section>
  )
}

/** How long a step took, or how far it is. */
function describeStep({ status, done, total, startedAt, endedAt }: Step, now: number | undefined): string | undefined {
  if (status === 'running' && done !== undefined && total) return format.percent(Math.min(100, (done / total) * 100))
  if (startedAt === undefined) return undefined
  const end = endedAt === undefined ? now : Date.parse(endedAt)
  const took = end === undefined ? 0 : end - Date.parse(startedAt)
  // What took no time is not worth a word.
  return took < 1_000 ? undefined : format.duration(took)
}
